"""Run notebooks as Colab does, by an interpreter that has Colab's versions: ``make colab`` makes one and calls this.

Each notebook's first cell installs what Colab lacks and clones the repository; here it clones this one, as committed.
The front page reads what is published, the students are trained briefly, and a chapter finds them: all in one folder.
"""

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/kdnb/kdnb"
KEPT = ("torch", "numpy")  # Colab's own, built for its machines
# What the notebooks use of Colab. A package, so that Plotly too sees where it is.
STUB = """from types import SimpleNamespace

output = SimpleNamespace(enable_custom_widget_manager=lambda: None)
"""
SHORT = {"epochs": 2, "limit": 128, "teacher_model": "resnet8", "methods": ["normal", "kd"], "temperatures": [1, 4]}
CHAPTERS: dict[str, dict[str, object]] = {"00_start": {}, "02_students": SHORT, "03_mu_curves": {"methods": ["kd"]}}


def run(name: str, given: dict[str, object], content: Path) -> None:
    """Execute a notebook with other parameters; nbclient's error says which cell failed and why.

    Its first cell meets ``content`` in place of /content, and this repository in place of GitHub's.
    """
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    first, parameters, *rest = [cell for cell in notebook.cells if cell.cell_type == "code"]
    here = first.source.replace("/content", str(content)).replace(REPOSITORY, ROOT.as_uri())
    first.source = f"import sys\nsys.path.insert(1, {str(content)!r})\nimport google.colab\n{here}"
    parameters.source += "".join(f"\n{key} = {value!r}" for key, value in given.items())
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": content}}).execute()
    print(f"{name}: {2 + len(rest)} cells of code ran", flush=True)


def main() -> int:
    """Run the chapters one after the other on one disk; 1 when torch or numpy did not stay as they were."""
    before = [version(name) for name in KEPT]
    with tempfile.TemporaryDirectory(prefix="colab-") as work:
        content = Path(work).resolve()
        (content / "google" / "colab").mkdir(parents=True)
        (content / "google" / "colab" / "__init__.py").write_text(STUB)
        for name, given in CHAPTERS.items():
            run(name, given, content)
    after = [version(name) for name in KEPT]
    if before != after:
        print(f"{', '.join(KEPT)} changed from {before} to {after}", file=sys.stderr)
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main())
