"""What is written in and around the book: addresses agree, figures say what to look at, words are explained."""

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from exhibits import every
from packaging.requirements import Requirement

from kdnb import profiles
from kdnb.book import export, reading

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
REPOSITORY = CONFIG["repository"]["url"]
SITE = CONFIG["html"]["baseurl"]
DRAWS = re.compile(r"\b(show|explorer)\(")


def cells(path: Path) -> list[Any]:
    found: list[Any] = nbformat.read(path, as_version=4).cells
    return found


def prose(path: Path) -> str:
    return "\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")


def terms() -> set[str]:
    """The glossary's words: unindented lines of its glossary blocks."""
    blocks = re.findall(r"```\{glossary\}\n(.*?)```", (ROOT / "book" / "glossary.md").read_text(), re.DOTALL)
    return {line for block in blocks for line in block.splitlines() if line and not line.startswith(" ")}


def anchor(term: str) -> str:
    """The id that Sphinx gives a glossary's entry; μ shares that of raw μ."""
    return "term-" + (re.sub(r"[^A-Za-z0-9]+", "-", term.replace("μ", "")).strip("-") or "raw")


def test_the_site_follows_from_the_repository() -> None:
    owner, name = REPOSITORY.removeprefix("https://github.com/").split("/")
    assert SITE == CONFIG["sphinx"]["config"]["ogp_site_url"] == f"https://{owner}.github.io/{name}/"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["url"] == SITE and SITE in (ROOT / "README.md").read_text()
    cite = (ROOT / "book" / "cite.md").read_text()
    assert f"{{{REPOSITORY}}}" in cite and f"{{Version {citation['version']}}}" in cite


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_addresses_in_a_notebook_are_the_repository_s(path: Path) -> None:
    text = path.read_text()
    owner, name = REPOSITORY.removeprefix("https://github.com/").split("/")
    code = re.sub(r"github\.com/[\w-]+/[\w-]+/issues/", "", text)  # of others, which a text may quote
    assert set(re.findall(r"github\.com/[\w-]+/[\w-]+", code)) == {f"github.com/{owner}/{name}"}
    assert set(re.findall(r"https://[\w-]+\.github\.io/[\w-]+/", text)) <= {SITE}
    assert f"colab.research.google.com/github/{owner}/{name}/blob/{CONFIG['repository']['branch']}/" in text


def test_a_folder_on_a_drive_is_one_profile_s() -> None:
    """Runs of two profiles in one folder would have one name."""
    texts = [path.read_text() for path in [*NOTEBOOKS, *(ROOT / "book").glob("*.md"), ROOT / "README.md"]]
    folders = re.findall(r"/MyDrive/([\w/-]*)", "\n".join(texts))
    assert len(folders) == 2 and {Path(folder).name for folder in folders} <= profiles.PROFILES.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_figure_comes_after_what_to_look_at(path: Path) -> None:
    said, tables = "", [maker.__name__ for maker in every() if "Exhibit(None" in inspect.getsource(maker)]
    for cell in cells(path):
        if cell.cell_type == "markdown":
            said = cell.source
        elif DRAWS.search(cell.source) and not re.search(rf"\.({'|'.join(tables)})\(", cell.source):
            assert "**Look at**" in said, f"no word on what to look at before: {cell.source[:80]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_words_link_to_the_glossary(path: Path) -> None:
    known = {term.lower(): term for term in terms()}
    for word, fragment in re.findall(r"\[([^\]]+)\]\([^)\s]+/book/glossary\.html#([^)\s]*)\)", prose(path)):
        assert fragment == anchor(known[word.lower()]), word


def test_links_to_the_rendered_book_become_references_on_a_page() -> None:
    text = f"The [student]({SITE}book/glossary.html#term-student), [how]({SITE}book/background.html#account)."
    made = export.clean(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]))
    assert made.cells[0].source == "The {term}`student`, [how](#account)."


def test_every_chapter_says_how_long_it_takes_and_the_first_page_adds_that_up() -> None:
    assert {path.stem for path in NOTEBOOKS if not reading.stated(path)} == {"00_start"}
    assert reading.minutes([ROOT / "book" / f"{name}.md" for name in ("introduction", "limits", "glossary")]) == 3 + 5


def test_the_first_page_and_the_introduction_recommend_the_same_chapters() -> None:
    first = ROOT / "notebooks" / "00_start.ipynb"
    (counted,) = re.findall(r"^few = .*$", "\n".join(cell.source for cell in cells(first)), re.MULTILINE)
    (advice,) = re.findall(r"If you read only three.*", (ROOT / "book" / "introduction.md").read_text())
    named = [re.findall(r"\d\d_\w+", text) for text in (counted, advice, prose(first).split("](../book")[0])]
    assert named[0] == named[1] == [name for name in named[2] if name != "00_start"]


def test_binder_has_what_the_notebooks_import_and_no_more() -> None:
    environment = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
    assert environment["dependencies"][:2] == ["python=3.11", "pip"]
    asked = {line.replace("pytorch-cpu", "torch") for line in environment["dependencies"][2:]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    drawing = {line for line in extras["notebooks"] if Requirement(line).name not in {"jupyter", "papermill"}}
    assert asked == {*project["dependencies"], *drawing}
    assert "--no-deps" in (ROOT / "binder" / "postBuild").read_text()
