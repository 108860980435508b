"""Headless Chromium that reaches nothing but the disk and this machine, shared by all tests that read pages."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, Route, sync_playwright

SWITCHES = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LOCAL = ("file:", "blob:", "data:")


def find_chromium() -> str | None:
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; where there is none, CI fails and any other machine skips."""
    chromium = find_chromium()
    if chromium is None:
        message = "no Chromium on PATH: the book cannot be read; install it (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, chromium_sandbox=False, args=[*SWITCHES, "--no-first-run"]
        )
        yield started
        started.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve ``folder`` on a free port of this machine; yield its address, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Reading:
    """A page being read, and what went wrong with it so far: requests to others, failed requests, errors."""

    page: Page
    external: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    home: str = "file:"

    def __post_init__(self) -> None:
        self.page.set_default_timeout(90_000)
        self.page.route("**/*", self._pass)
        self.page.on("requestfailed", lambda asked: self.failed.append(asked.url))
        self.page.on("response", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._listen)

    def _pass(self, route: Route) -> None:
        if route.request.url.startswith((*LOCAL, self.home)):
            route.continue_()
        else:
            self.external.append(route.request.url)
            route.abort()

    def _hear(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append(response.url)

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.errors.append(said.text)

    def open(self, place: Path | str, drawn: int | None = None) -> None:
        """Open a file or an address and wait until its figures are drawn: ``drawn`` of them, or all the page has."""
        address = place.as_uri() if isinstance(place, Path) else place
        self.home = "file:" if isinstance(place, Path) else "/".join(address.split("/")[:3]) + "/"
        answer = self.page.goto(address)
        assert answer is None or answer.status < 400, f"{address}: {answer.status}"
        if drawn is None:
            self.page.wait_for_function(ALL_DRAWN)
        else:
            self.page.wait_for_function(f"document.querySelectorAll('.main-svg').length >= {drawn}")

    def check(self) -> None:
        """Assert that the page asked nobody else for anything, got all it asked for, and complained of nothing."""
        self.page.wait_for_load_state("networkidle")
        assert self.external == [] and self.failed == [] and self.errors == []

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return found

    def darken(self, dark: bool = True) -> None:
        """Switch the reader's system, which the book follows, to dark or light."""
        theme = "dark" if dark else "light"
        self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        self.page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")


# Each place for a figure or a widget holds one, each figure in it is drawn, and the explorer says what it shows.
ALL_DRAWN = """() => {
    const isDrawn = box => Boolean(box?.querySelector(".main-svg") || box?.clientWidth === 0); // or folded away
    const figures = [...document.querySelectorAll("script[data-kdnb-figure]")]
        .map(holder => document.getElementById(holder.dataset.kdnbFigure));
    const widgets = [...document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']")]
        .map(holder => holder.parentElement);
    const boxes = document.querySelectorAll(".kdnb-figure, .kdnb-stepper");
    const readings = document.querySelectorAll(".kdnb-explorer-reading");
    return [...figures, ...widgets, ...boxes].every(isDrawn) && [...readings].every(text => text.textContent);
}"""

Read = Callable[..., Reading]


@pytest.fixture
def read(browser: Browser) -> Iterator[Read]:
    """Make a Reading: ``read(width, dark=False, scripts=True)``; each has cookies and a cache of its own."""
    pages: list[Page] = []

    def make(width: int = 1300, *, dark: bool = False, scripts: bool = True) -> Reading:
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        pages.append(page)
        return Reading(page)

    yield make
    for page in pages:
        page.close()


@pytest.fixture(params=[1300, 390], ids=["desktop", "telephone"])
def reading(read: Read, request: pytest.FixtureRequest) -> Reading:
    """A page on a desk and one on a telephone."""
    return read(request.param)
