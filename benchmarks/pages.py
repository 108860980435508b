"""What a reader waits for: the bytes of each page and the time until its figures answer; and how long a build takes.

    python -m benchmarks.pages --book build/results/book --loads 7 --builds 3

Pages come from a server on this machine to headless Chromium, each load with an empty cache. A figure answers when the
areas are there that Plotly listens on; a slider, when its handle and a figure that it moves are there.
"""

import argparse
import os
import platform
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.report import head, row, spread
from kdnb import paths
from kdnb.book import build
from tests.browser import ALL_DRAWN, SWITCHES, find_chromium, served
from tests.built import from_results

# Notes, in milliseconds since the page was asked for, when each thing is first there.
NOTE = """(() => {
    const wanted = {
        figure: () => document.querySelector(".js-plotly-plot .draglayer .drag"),
        slider: () => document.querySelector(".noUi-handle") &&
            document.querySelector(".widget-subarea .js-plotly-plot .draglayer .drag"),
    };
    globalThis.noted = {};
    new MutationObserver(() => {
        for (const [name, there] of Object.entries(wanted)) {
            if (!(name in noted) && there()) noted[name] = performance.now();
        }
    }).observe(document, { childList: true, subtree: true });
})()"""


def load(browser: Browser, address: str) -> tuple[dict[str, float], dict[str, int]]:
    """Read a page once: seconds until things were there, and bytes by address."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.add_init_script(NOTE)
    page.goto(address)
    page.wait_for_function(ALL_DRAWN)
    noted = page.evaluate("({ ...noted, all: performance.now() })")
    page.wait_for_load_state("networkidle")
    sizes = {answer.url.split("?")[0]: len(answer.body()) for answer in answers if answer.ok}
    page.close()
    return {name: milliseconds / 1000 for name, milliseconds in noted.items()}, sizes


def report(folder: Path, loads: int) -> str:
    """A table of all pages of the book in ``folder``."""
    names = build.chapters(paths.root() / "_toc.yml")
    with sync_playwright() as playwright, served(folder) as home:
        browser = playwright.chromium.launch(executable_path=find_chromium(), chromium_sandbox=False, args=SWITCHES)
        read = {name: [load(browser, f"{home}/{name}.html") for _ in range(loads)] for name in names}
        version = browser.version
        browser.close()
    asked = Counter(url for pages in read.values() for url in pages[0][1])
    lines = [head("page", "html", "beyond what pages share", "all", "first figure (s)", "first slider (s)", "all (s)")]
    for name, pages in read.items():
        sizes = pages[0][1]
        own = sum(size for url, size in sizes.items() if asked[url] == 1)
        html = sizes[f"{home}/{name}.html"]
        weights = [f"{size / 1e6:.2f} MB" for size in (html, own, sum(sizes.values()))]
        lines.append(row(name, *weights, *(_times(pages, what) for what in ("figure", "slider", "all"))))
    return "\n".join([f"Chromium {version}, median (range) of n = {loads} loads, cache empty.", "", *lines])


def _times(pages: list[tuple[dict[str, float], dict[str, int]]], what: str) -> str:
    found = [noted[what] for noted, _ in pages if what in noted]
    return spread(found, "{:.2f}") if found else "-"


def build_time() -> float:
    """Seconds from results/ to the finished book, the chapters' execution included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        from_results(Path(folder))
        return time.perf_counter() - start


def main() -> None:
    """Measure as the command line says, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--book", type=Path, default=paths.root() / "build" / "results" / "book")
    parser.add_argument("--loads", type=int, default=7, help="of each page")
    parser.add_argument("--builds", type=int, default=1, help="of the whole book from results/")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.")
    print(report(given.book, given.loads))
    times = [build_time() for _ in range(given.builds)]
    if times:
        print(
            f"\nThe book from results/: {median(times):.0f} s, n = {len(times)}: {', '.join(f'{t:.0f}' for t in times)}"
        )


if __name__ == "__main__":
    main()
