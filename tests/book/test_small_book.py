"""The pages of a small book, read in headless Chromium that reaches nothing but the disk."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import yaml
from browser import Read, Reading
from playwright.sync_api import Page
from small_book import ROOT

from kdnb.book import build, pictures


def title_is_inside(page: Page, name: str) -> bool:
    """Say whether the figure's whole title lies within its box and above the plot."""
    found: bool = page.evaluate(
        """name => {
            const [box, title, plot] = ["", " .gtitle", " .xy"].map(
                part => document.querySelector(`#${name}${part}`).getBoundingClientRect());
            const across = box.left <= title.left && title.right <= box.right;
            return across && box.top <= title.top && title.bottom <= plot.top;
        }""",
        name,
    )
    return found


def drawn_y(page: Page, name: str) -> list[float]:
    found: list[float] = page.evaluate(f"Array.from(document.getElementById('{name}')._fullData[0].y)")
    return found


def test_figure_is_drawn_with_no_network(html: Path, reading: Reading) -> None:
    reading.open(html / "notebooks" / "one.html", drawn=1)
    assert drawn_y(reading.page, "squares") == [1, 4, 9]
    box = reading.page.get_by_role("figure", name="A curve through 1, 4 and 9.")
    assert box.count() == 1 and "run this cell" not in box.inner_text()
    assert reading.overflow() <= 0 and title_is_inside(reading.page, "squares")
    reading.page.hover("#squares")
    ends = (
        "['.gtitle', '.modebar-group'].map(part => document.querySelector(`#squares ${part}`).getBoundingClientRect())"
    )
    assert reading.page.evaluate(f"(([title, bar]) => bar.width > 0 && title.right < bar.left)({ends})"), (
        "one over the other"
    )
    reading.check()


def test_figure_follows_the_page_into_the_dark(html: Path, reading: Reading) -> None:
    reading.open(html / "notebooks" / "one.html", drawn=1)
    ink = "getComputedStyle(document.querySelector('#squares .xtick text')).fill"
    colours = []
    for theme in ("light", "dark"):
        reading.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        wanted = "rgb(27, 31, 36)" if theme == "light" else "rgb(227, 230, 234)"
        reading.page.wait_for_function(f"{ink} === '{wanted}'")
        colours.append(reading.page.evaluate(ink))
    assert len(set(colours)) == 2 and title_is_inside(reading.page, "squares")


def test_slider_moves_the_figure_with_no_kernel(html: Path, reading: Reading) -> None:
    reading.open(html / "notebooks" / "two.html", drawn=1)
    assert drawn_y(reading.page, "steep") == [0, 1]
    reading.page.locator(".noUi-handle").focus()
    reading.page.keyboard.press("ArrowRight")
    reading.page.wait_for_function("document.getElementById('steep')._fullData[0].y[1] === 2")
    reading.page.keyboard.press("ArrowRight")
    reading.page.wait_for_function("document.getElementById('steep')._fullData[0].y[1] === 3")
    assert "Shown: 3, a long name." in (reading.page.locator("#steep").get_attribute("aria-label") or "")
    assert reading.page.evaluate("document.getElementById('steep').layout.title.text") == "T = 3"
    assert reading.overflow() <= 0
    reading.check()


def test_prose_is_set_with_no_network(html: Path, reading: Reading) -> None:
    reading.page.goto((html / "book" / "index.html").as_uri())
    reading.page.wait_for_selector("mjx-container svg")
    assert reading.overflow() <= 0
    reading.check()


def test_colab_button_points_at_the_notebooks_own_path(html: Path) -> None:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    link = (
        f"{repository['url'].replace('https://github.com', 'github')}/blob/{repository['branch']}/notebooks/one.ipynb"
    )
    assert f'href="https://colab.research.google.com/{link}"' in (html / "notebooks" / "one.html").read_text()


def test_binder_is_not_offered_where_a_chapter_trains(html: Path) -> None:
    reads, trains = ((html / "notebooks" / f"{name}.html").read_text() for name in ("one", "two"))
    assert "mybinder.org/v2/gh/" in reads and "mybinder.org" not in trains
    assert "colab.research.google.com/github/" in trains


def test_published_notebooks_tell_nothing_of_the_machine(html: Path, executed: Path) -> None:
    text = (html / "_sources" / "notebooks" / "one.ipynb").read_text()
    assert "SECRET" not in text and str(executed) not in text and str(ROOT) not in text
    assert "in . and runs" in text
    tags = [cell.metadata.tags for cell in nbformat.reads(text, as_version=4).cells]
    assert tags == [[], ["parameters", "remove-input"], []]


def test_pages_are_light_and_scripts_come_once(html: Path) -> None:
    assert all((html / "notebooks" / f"{name}.html").stat().st_size < 200_000 for name in ("one", "two"))
    assert len(list(html.rglob("plotly*.js"))) == 1
    licences = {path.stem for path in (html / "vendor" / "licences").iterdir()}
    vendored = {"font-awesome", "html-manager", "mathjax", "popper", "requirejs", "tippy"}
    assert licences == vendored | {"anywidget", "plotly"}


def test_without_scripts_there_are_pictures(html: Path, read: Read) -> None:
    """Of a figure and of a stepper's first; the addresses of cards are this book's own files."""
    if pictures.find_browser() is None:
        pytest.skip(pictures.NO_BROWSER)
    for name, alt in (("one", "A curve through 1, 4 and 9."), ("two", "A line, steeper with T. Shown: 1.")):
        reading = read(1300, scripts=False)
        reading.page.goto((html / "notebooks" / f"{name}.html").as_uri())
        picture = reading.page.get_by_role("img", name=alt)
        assert picture.is_visible() and picture.evaluate("image => image.naturalWidth") == pictures.WIDTH
        assert not reading.page.locator(".kdnb-figure").locator("visible=true").count()
        site = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["ogp_site_url"]
        card = reading.page.locator("meta[property='og:image']").get_attribute("content") or ""
        assert card.startswith(site) and (html / card.removeprefix(site)).is_file()


def test_without_a_browser_the_book_has_words_for_its_figures_and_says_why(
    source: Path,
    executed: Path,
    tmp_path: Path,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "none")
    folder = build.build(source, executed, tmp_path / "book").parent
    assert "No Chrome or Chromium here (Debian: apt-get install chromium" in capsys.readouterr().err
    assert not (folder / "pictures").exists()
    reading = read(1300, scripts=False)
    reading.page.goto((folder / "notebooks" / "two.html").as_uri())
    words = reading.page.locator("noscript p")
    assert words.is_visible() and "A line, steeper with T. Shown: 1." in (words.text_content() or "")
    drawn = read(1300)
    drawn.open(folder / "notebooks" / "one.html", drawn=1)
    drawn.check()


def test_a_browser_that_fails_is_named_and_the_older_book_stays(
    source: Path, executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, book = tmp_path / "chromium", tmp_path / "book"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    book.mkdir()
    (book / ".buildinfo").write_text("older")
    monkeypatch.setenv("BROWSER_PATH", str(broken))
    monkeypatch.setattr(build, "_BUILD", ["-c", ""])  # Sphinx has nothing to do with it
    changed = shutil.copytree(source, tmp_path / "source", symlinks=True, ignore=shutil.ignore_patterns("build"))
    # In a thread of its own: playwright's event loop, of other tests here, keeps this one from another's.
    with ThreadPoolExecutor(1) as apart, pytest.raises(OSError) as raised:
        apart.submit(build.build, changed, executed, book).result()
    assert re.search(f"{broken} draws no pictures: \\w+.*BROWSER_PATH=none", str(raised.value))
    assert [path.name for path in book.iterdir()] == [".buildinfo"]
