"""Chapters in a real JupyterLab with a live kernel, light and dark, without a network: as in the book, figures live."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from browser import Read, Reading
from playwright.sync_api import TimeoutError
from touch import areas, centre, choose, move, use_controls

from kdnb import paths

CHAPTERS = ("00_start", "03_mu_curves", "04_correlation", "05_tsne", "10_geometry")
TABLES = ("collapse.collapsed",)  # what is shown without a figure
# Anywidget complains when a browser takes over 2 s to load a module; with that clock at 0 all below still holds.
LATE = "[anywidget] Failed to initialize model."
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"  # the one picture that a notebook asks others for
SETTINGS = {"notification": {"fetchNews": "false", "checkForUpdates": False}, "themes": {"theme": "JupyterLab Dark"}}
RUN_ALL = """async () => {
    await jupyterapp.restored;
    await jupyterapp.shell.currentWidget.sessionContext.ready;
    await jupyterapp.commands.execute("notebook:run-all-cells");
}"""
FRAMES = ".jp-OutputArea-output :is(.kdnb-figure, .kdnb-stepper)"
DRAWN = f"""() => [...document.querySelectorAll("{FRAMES}")].filter(box => box.clientWidth)
    .every(box => box.querySelector(".main-svg") && box._fullData.length && box.getAttribute("aria-label"))"""
NARROWEST = f"""() => Math.min(...[...document.querySelectorAll("{FRAMES}")].filter(box => box.clientWidth)
    .map(box => box.clientWidth / box.closest(".jp-OutputArea-output").clientWidth))"""
# The least contrast (WCAG 2) of any text of a figure with the ground that it stands on, and which text.
CONTRAST = f"""() => {{
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const ground = node => {{
        for (let at = node; at; at = at.parentElement) {{
            const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
            if (a > 0.5) return [r, g, b];
        }}
        return [255, 255, 255];
    }};
    const luminance = rgb => {{
        const [r, g, b] = rgb.map(v => v / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }};
    const ratio = (one, other) => {{
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }};
    return [...document.querySelectorAll("{FRAMES}")].flatMap(box => [...box.querySelectorAll(".main-svg text")]
        .map(text => [ratio(parts(getComputedStyle(text).fill).slice(0, 3), ground(box)), box.id, text.textContent]))
        .sort((a, b) => a[0] - b[0])[0];
}}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that knows nothing of this user, with copies of the chapters, in its dark theme."""
    home = tmp_path_factory.mktemp("lab")
    notebooks = home / "notebooks"
    notebooks.mkdir()
    for chapter in CHAPTERS:
        shutil.copy(paths.root() / "notebooks" / f"{chapter}.ipynb", notebooks)
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    for name, content in SETTINGS.items():
        (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(content))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = {f"JUPYTER{name}_DIR": str(home / name) for name in ("_CONFIG", "_RUNTIME", "LAB_WORKSPACES")}
    environment = os.environ | folders | {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "HOME": str(home)}
    environment |= {"KDNB_ROOT": str(paths.root()), "KDNB_DISPLAY": "live"}
    options = ["--no-browser", "--allow-root", f"--ServerApp.root_dir={notebooks}", "--IdentityProvider.token="]
    options += [f"--port={port}", "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{address}/api/status"):
            assert server.poll() is None, (home / "log").read_text()
        yield address
    finally:
        server.terminate()
        server.wait()


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=1):
            return True
    except OSError:
        return False


def _scroll_through(reading: Reading, least: int) -> None:
    """Bring every cell into view, as a reader does, until ``least`` figures are there: unseen ones are not drawn."""
    for _ in range(20):
        for cell in reading.page.locator(".jp-Notebook .jp-Cell").all():
            centre(cell)
            reading.page.wait_for_timeout(200)
        if reading.page.locator(FRAMES).count() >= least:
            break
    assert reading.page.locator(FRAMES).count() >= least
    reading.page.wait_for_function(DRAWN)


def _shown_by(chapter: str) -> int:
    """How many outputs with figures a chapter has at least."""
    cells = json.loads((paths.root() / "notebooks" / f"{chapter}.ipynb").read_text())["cells"]
    sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    drawn = [source for source in sources if not any(table in source for table in TABLES)]
    return sum(any(word in source for word in ("show(", "explorer(")) for source in drawn)


def _darken(reading: Reading, dark: bool) -> None:
    theme = f"JupyterLab {'Dark' if dark else 'Light'}"
    reading.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    reading.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")


def check_ink(reading: Reading) -> None:
    """Assert that text of figures can be read; a figure takes the theme's colours a moment after the theme."""
    try:
        reading.page.wait_for_function(f"({CONTRAST})()[0] >= 4.5", timeout=20_000)
    except TimeoutError:
        pytest.fail(f"of low contrast: {reading.page.evaluate(CONTRAST)}")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_at_work_is_as_in_the_book(lab: str, read: Read, chapter: str) -> None:
    """Run whole by a live kernel: each figure is drawn and can be read, dark and light; menus and sliders move data."""
    reading = read(1300)
    page = reading.page
    reading.home = f"{lab}/"
    page.goto(f"{lab}/lab/workspaces/{chapter}/tree/{chapter}.ipynb")
    page.wait_for_function("document.querySelector('.jp-Notebook .jp-Cell')")
    page.evaluate(RUN_ALL)
    _scroll_through(reading, _shown_by(chapter))
    assert page.evaluate(NARROWEST) > (0.4 if chapter == "00_start" else 0.95)  # the explorer's plots stand in pairs
    for dark in (True, False):
        _darken(reading, dark)
        check_ink(reading)
    assert page.locator(".kdnb-tools").count() == page.locator(FRAMES).count()
    for area in areas(page, ".jp-OutputArea-output"):
        centre(area)
        choose(area)
        move(area)
    use_controls(page)
    assert set(reading.external) <= {BADGE}
    assert [error for error in reading.errors if "ERR_FAILED" not in error and error != LATE] == []  # the badge again
