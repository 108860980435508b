"""A small book: two notebooks that are executed once, a source around them, and its pages."""

import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from kdnb.book import build

ROOT = Path(__file__).resolve().parents[1]

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
