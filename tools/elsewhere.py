"""Run notebooks as others' machines do, by an interpreter that has their versions: ``make colab``, ``make binder``.

The front page reads what is published, students are trained briefly, and a chapter finds them: all in one folder. Colab
has each notebook's first cell install what it lacks and clone the repository; here it clones this one, as committed.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/kdnb/kdnb"
# What the notebooks use of Colab. A package, so that Plotly too sees where it is.
STUB = """from types import SimpleNamespace

output = SimpleNamespace(enable_custom_widget_manager=lambda: None)
"""
SHORT = {"epochs": 2, "limit": 128, "teacher_model": "resnet8", "methods": ["normal", "kd"], "temperatures": [1, 4]}
CHAPTERS: dict[str, dict[str, object]] = {"00_start": {}, "02_students": SHORT, "03_mu_curves": {"methods": ["kd"]}}


def run_all(folder: Path, prepared: Callable[[str], str]) -> None:
    """Execute the chapters in ``folder``, their first cells ``prepared``; nbclient's error says which cell failed."""
    for name, given in CHAPTERS.items():
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        first, parameters, *rest = [cell for cell in notebook.cells if cell.cell_type == "code"]
        first.source = prepared(first.source)
        parameters.source += "".join(f"\n{key} = {value!r}" for key, value in given.items())
        place = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=place).execute()
        print(f"{name}: {2 + len(rest)} cells of code ran", flush=True)


def on_colab(content: Path) -> None:
    """As Colab, with ``content`` for /content and this repository for GitHub's; torch and numpy must stay its own."""
    (content / "google" / "colab").mkdir(parents=True)
    (content / "google" / "colab" / "__init__.py").write_text(STUB)
    begin = f"import sys\nsys.path.insert(1, {str(content)!r})\nimport google.colab\n"
    before = version("torch"), version("numpy")
    run_all(content, lambda cell: begin + cell.replace("/content", str(content)).replace(REPOSITORY, ROOT.as_uri()))
    after = version("torch"), version("numpy")
    if before != after:
        raise SystemExit(f"torch and numpy were {before} and became {after}.")


def on_binder(runs: Path) -> None:
    """As Binder: in the repository, before somebody in JupyterLab."""
    os.environ |= {"KDNB_RUNS": str(runs), "KDNB_DISPLAY": "live"}
    run_all(ROOT, lambda cell: cell)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kdnb-") as work:
        {"colab": on_colab, "binder": on_binder}[sys.argv[1]](Path(work).resolve())
