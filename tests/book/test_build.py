"""The book, built from two small executed notebooks and read in headless Chromium that reaches nothing but the disk."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from browser import Read, Reading
from nbclient import NotebookClient
from playwright.sync_api import Page

from kdnb import __main__ as command_line
from kdnb.book import build, export, pictures

ROOT = Path(__file__).resolve().parents[2]

FIGURE = """
import plotly.graph_objects as go
from kdnb.book.show import show
from kdnb.figures.exhibit import Exhibit
fig = go.Figure(go.Scatter(x=[1, 2, 3], y=[1, 4, 9], name="μ"))
fig.update_layout(title="A title so long that it needs several lines on a telephone, with T<sup>2</sup>", height=420)
show(Exhibit(fig, name="squares", alt="A curve through 1, 4 and 9."))
from kdnb.paths import root
print(f"in {root()} and {root() / 'runs'}")
"""
STEPPER = """
from kdnb.train import study  # as chapters do that train
import plotly.graph_objects as go
from kdnb.book.show import show
from kdnb.figures.exhibit import Exhibit
lines = {"1": 1, "2": 2, "3, a long name": 3}
steps = {name: go.Figure(go.Scatter(x=[0, 1], y=[0, t])).update_layout(title=f"T = {t}") for name, t in lines.items()}
show(Exhibit(steps, step="T", name="steep", alt="A line, steeper with T."))
"""
INDEX = "# A small book\n\nSee {doc}`../notebooks/one` and $\\mu^2$ {cite:p}`someone`.\n\n```{bibliography}\n```\n"
BIBLIOGRAPHY = "@article{someone, author = {One, Some}, title = {Thing}, journal = {Place}, year = {2020}}\n"


def execute(path: Path, title: str, code: str) -> None:
    cells = [
        nbformat.v4.new_markdown_cell(
            f"# {title}\n\n[![Open in Colab](https://example.org/badge.svg)](https://example.org)"
        ),
        nbformat.v4.new_code_cell("T = 4", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    made = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(made, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    made.metadata["papermill"] = {"environment_variables": {"SECRET": "1"}, "output_path": str(path)}
    nbformat.write(made, path)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("executed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDNB_DISPLAY", "static")
        patch.setenv("KDNB_ROOT", str(ROOT))
        execute(folder / "one.ipynb", "A figure", FIGURE)
        execute(folder / "two.ipynb", "A stepper", STEPPER)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, executed: Path) -> Path:
    """A small repository: the real configuration and vendored scripts, notebooks and a book of its own."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(executed, folder / "notebooks")
    shutil.copy(ROOT / "_config.yml", folder)
    (folder / "vendor").symlink_to(ROOT / "vendor")
    toc = {"format": "jb-book", "root": "book/index"}
    (folder / "_toc.yml").write_text(
        yaml.safe_dump(toc | {"chapters": [{"file": "notebooks/one"}, {"file": "notebooks/two"}]})
    )
    (folder / "book").mkdir()
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "book" / "references.bib").write_text(BIBLIOGRAPHY)
    return folder


@pytest.fixture(scope="module")
def html(source: Path, executed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(source, executed, tmp_path_factory.mktemp("out") / "book").parent


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


def test_only_the_contents_are_staged(source: Path, executed: Path, tmp_path: Path) -> None:
    build.stage(source, executed, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"_config.yml", "_toc.yml", "book", "notebooks", "extra"}


def test_every_page_says_when_runs_are_missing(source: Path, executed: Path, tmp_path: Path) -> None:
    build.stage(source, executed, tmp_path / "whole")
    assert (tmp_path / "whole" / "_config.yml").read_bytes() == (source / "_config.yml").read_bytes()
    build.stage(source, executed, tmp_path / "stage", [tmp_path / "kd-T2"])
    said = yaml.safe_load((tmp_path / "stage" / "_config.yml").read_text())["html"]["announcement"]
    assert said.startswith("This study is not whole: 1 run is missing.")


def test_a_figure_left_blank_fails_the_build(source: Path, executed: Path, tmp_path: Path) -> None:
    live = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(live / "one.ipynb", as_version=4)
    made.cells[2].outputs[0] = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": {}})
    nbformat.write(made, live / "one.ipynb")
    with pytest.raises(ValueError, match=r"one\.ipynb holds a live Plotly figure.*KDNB_DISPLAY=static"):
        build.stage(source, live, tmp_path / "stage")


def executed_copy(executed: Path, folder: Path) -> Path:
    shutil.copytree(executed, folder / "copy")
    return folder / "copy"


def test_failed_notebook_is_refused(source: Path, executed: Path, tmp_path: Path) -> None:
    failed = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(failed / "two.ipynb", as_version=4)
    made.metadata["papermill"]["exception"] = True
    nbformat.write(made, failed / "two.ipynb")
    with pytest.raises(ValueError, match=r"two\.ipynb stopped with an error"):
        build.stage(source, failed, tmp_path / "stage")


def test_a_notebook_that_was_changed_since_is_refused(source: Path, executed: Path, tmp_path: Path) -> None:
    """Other parameters are no change: papermill injects them, and a reader may write them."""
    stale = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(stale / "two.ipynb", as_version=4)
    made.cells[1].source = "T = 10"
    made.cells.insert(2, nbformat.v4.new_code_cell("T = 20", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(made, stale / "two.ipynb")
    build.stage(source, stale, tmp_path / "stage")
    made.cells[0].source += " It was another text."
    nbformat.write(made, stale / "two.ipynb")
    with pytest.raises(ValueError, match=r"two\.ipynb was executed before .*notebooks/two\.ipynb was changed"):
        build.stage(source, stale, tmp_path / "again")


def test_missing_notebook_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lacks one\.ipynb, two\.ipynb"):
        build.stage(source, tmp_path, tmp_path / "stage")


def test_never_executed_notebook_is_refused() -> None:
    cells = [nbformat.v4.new_code_cell("1 + 1")]
    with pytest.raises(ValueError, match=r"plain\.ipynb was never executed"):
        export.refuse_unfit(nbformat.v4.new_notebook(cells=cells), "plain.ipynb")


def test_places_on_this_machine_are_taken_out_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/jürgen")
    said = f"first\n/tmp/ipykernel_7/80.py:3: UserWarning\n{ROOT}/runs, {ROOT} and /home/jürgen/data\n"
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text=said)], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "here.ipynb")
    export.publish(tmp_path / "here.ipynb", tmp_path / "published.ipynb")
    (kept,) = nbformat.read(tmp_path / "published.ipynb", as_version=4).cells
    assert kept.outputs[0].text == "first\ncell:3: UserWarning\nruns, . and ~/data\n"


def test_truncated_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"half\.ipynb is no notebook"):
        export.publish(tmp_path / "half.ipynb", tmp_path / "out.ipynb")


def test_a_folder_that_is_no_book_is_kept(source: Path, executed: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not a book"):
        build.build(source, executed, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_command_line_says_what_is_missing_and_what_sphinx_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["book", "--executed", str(tmp_path / "none"), "--output", str(tmp_path / "book")]
    assert command_line.main(words) == 2
    assert re.match(r"kdnb: .*none", capsys.readouterr().err)

    def gave_up(*_: object) -> None:
        raise subprocess.CalledProcessError(1, "sphinx")

    monkeypatch.setattr(build, "build", gave_up)
    assert command_line.main(words) == 2
    assert capsys.readouterr().err == "kdnb: Sphinx gave up (status 1); its warnings are above.\n"


def test_contents_name_files_that_exist_or_notebooks() -> None:
    entries = build.chapters(ROOT / "_toc.yml")
    assert entries[0] == "notebooks/00_start" and len(set(entries)) == len(entries)
    for entry in set(entries) - {build.STATUS}:
        assert (ROOT / f"{entry}.{'ipynb' if entry.startswith('notebooks/') else 'md'}").is_file(), entry


def test_every_notebook_is_a_chapter_of_the_table_of_contents() -> None:
    """One that is forgotten there would be executed and never shown."""
    chapters = {name.removeprefix("notebooks/") for name in build.chapters(ROOT / "_toc.yml") if "notebooks/" in name}
    assert chapters == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_back_and_next_follow_the_table_of_contents() -> None:
    """They are written by hand, for readers in Colab; the first page has none."""
    entries = build.chapters(ROOT / "_toc.yml")
    for before, entry, after in zip(entries, entries[1:], entries[2:], strict=False):
        if entry.startswith("notebooks/"):
            line = nbformat.read(ROOT / f"{entry}.ipynb", as_version=4).cells[-1].source.splitlines()[-1]
            targets = re.findall(r"(?:Back|Next): \[[^\]]+\]\(([^)]+)\)", line)
            places = [(ROOT / "notebooks" / target).resolve().relative_to(ROOT) for target in targets]
            assert [str(place.with_suffix("")) for place in places] == [before, after], entry
