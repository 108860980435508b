"""The half that trains and counts runs where there is no Jupyter and no Plotly: on a bare GPU machine."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kdnb import paths
from kdnb.train import provenance

ABSENT = ["IPython", "ipywidgets", "anywidget", "plotly", "papermill", "nbformat", "snakemake", "traitlets"]
BELOW = ["data", "losses", "methods", "measure", "runs", "train", "analysis", "claims"]
LINTER = tomllib.loads((paths.root() / "pyproject.toml").read_text())["tool"]["importlinter"]


def test_what_is_below_the_wall_needs_neither_jupyter_nor_plotly() -> None:
    program = "import sys, pkgutil, importlib, kdnb\n" + "\n".join(f"sys.modules[{name!r}] = None" for name in ABSENT)
    program += f"""
for room in {BELOW!r}:
    package = importlib.import_module(f"kdnb.{{room}}")
    for module in pkgutil.walk_packages(package.__path__, f"kdnb.{{room}}."):
        importlib.import_module(module.name)
import kdnb.__main__
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_figures_do_need_plotly() -> None:
    """The block above blocks: without Plotly the reading half cannot be imported."""
    program = "import sys\nsys.modules['plotly'] = None\nimport kdnb.book.show"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode != 0


def test_who_stops_a_command_while_torch_is_imported_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt")
    where = os.pathsep.join([str(tmp_path), str(paths.root())])
    command = [sys.executable, "-m", "kdnb", "status", "digits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": where})
    assert done.returncode == 130 and done.stderr.startswith("kdnb: stopped; ") and done.stderr.count("\n") == 1


def test_every_room_has_its_place() -> None:
    """A new folder or file of the package's root is in the layers, so that nothing stands outside of the walls."""
    (layers,) = [contract["layers"] for contract in LINTER["contracts"] if contract["type"] == "layers"]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    root = Path(provenance.PACKAGE)
    there = {file.stem for file in root.glob("*.py")} | {file.parent.name for file in root.glob("*/__init__.py")}
    assert there - {"__init__"} == placed


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("kdnb/train/budget.py", "from kdnb.figures import style"),
        ("kdnb/analysis/stats.py", "import plotly"),
        ("kdnb/analysis/stats.py", "from kdnb.train import loop"),
        ("kdnb/checks.py", "from kdnb import models"),
    ],
)
def test_an_import_through_a_wall_is_found(where: str, line: str, tmp_path: Path) -> None:
    """Planted in a copy of the package; the copy as it is passes."""
    for name in ("kdnb", "pyproject.toml"):
        subprocess.run(["cp", "-r", str(paths.root() / name), str(tmp_path)], check=True)

    def lint() -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
        return subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": ""}, capture_output=True, text=True
        )

    assert lint().returncode == 0
    with (tmp_path / where).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint()
    assert done.returncode == 1 and "is not allowed to import" in done.stdout


def test_a_change_of_any_training_file_is_another_code() -> None:
    """Whole folders count, ``__init__`` too; what reads and draws does not."""
    counted = {str(Path(file).relative_to(provenance.PACKAGE)) for file in provenance.training_sources()}
    assert {"methods/__init__.py", "losses/__init__.py", "train/loop.py", "models.py", "measure/align.py"} <= counted
    assert not [name for name in counted if name.startswith(("analysis", "claims", "figures", "book"))]
