"""The notebooks, run as their users run them: nbmake from their folder, papermill from another one."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from kdnb import parameters, runs

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def call(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in ``folder``; its output is kept for the assertion that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    everything = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(words, cwd=folder, env=everything, capture_output=True, text=True, check=False)


def test_nbmake_runs_every_notebook_from_top_to_bottom(tmp_path: Path) -> None:
    """Four epochs at two temperatures (their ``nbmake.mock``), in the notebooks' own order."""
    options = ["-p", "no:cacheprovider", "-q", "--nbmake", "--nbmake-kernel=python3", "--nbmake-timeout=600"]
    done = call(
        sys.executable, "-m", "pytest", *options, *map(str, NOTEBOOKS), folder=ROOT, KDNB_RUNS=str(tmp_path / "runs")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(NOTEBOOKS)} passed" in done.stdout
    assert len(runs.find(tmp_path / "runs" / "digits", role="student")) == 5


def test_papermill_with_other_parameters_from_another_folder(tmp_path: Path) -> None:
    given = {
        "output_dir": str(tmp_path / "mine"),
        "methods": ["kd"],
        "temperatures": [2, 7.5],
        "epochs": 2,
        "limit": 128,
        "bystander_seed": None,
        "seed": 3,
        "teacher_model": "resnet8",
    }
    notebook, out = str(ROOT / "notebooks" / "02_students.ipynb"), str(tmp_path / "out.ipynb")
    done = call("papermill", notebook, out, "-k", "python3", "-y", json.dumps(given), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = runs.find(tmp_path / "mine", role="student")
    assert [(run.label, run.spec.init_seed, run.spec.bystander) for run in found] == [
        ("KD T=2", 3, None),
        ("KD T=7.5", 3, None),
    ]


def test_papermill_with_bad_parameters_is_refused_before_any_work(tmp_path: Path) -> None:
    given = {"temprature": 4, "output_dir": str(tmp_path / "mine")}
    notebook, out = str(ROOT / "notebooks" / "02_students.ipynb"), str(tmp_path / "out.ipynb")
    done = call("papermill", notebook, out, "-k", "python3", "-y", json.dumps(given), folder=tmp_path)
    assert done.returncode != 0 and re.search("unknown parameter 'temprature'.*Did you mean", done.stderr)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean_and_opens_in_colab(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert "papermill" not in notebook.metadata and "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    guard = code[0].source
    assert '"google.colab" in sys.modules' in guard and "--no-deps" in guard
    assert guard == nbformat.read(NOTEBOOKS[0], as_version=4).cells[1].source  # one folder for what trains and reads
    assert not re.search(r"install[^\n]*\b(torch|numpy)\b", guard)
    (badge,) = re.findall(
        r"colab\.research\.google\.com/github/kdnb/kdnb/blob/main/([^)\s]+)", notebook.cells[0].source
    )
    tracked = subprocess.run(["git", "ls-files", badge], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert badge == f"notebooks/{path.name}" and tracked.strip() == badge


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_knows_every_parameter(path: Path) -> None:
    """A line that it cannot parse, such as one whose comment holds "=", would be called unknown when it is given."""
    (cell,) = [c for c in nbformat.read(path, as_version=4).cells if "parameters" in c.metadata.get("tags", [])]
    assigned = {target.id for node in ast.parse(cell.source).body for target in getattr(node, "targets", [])}
    assert assigned and set(papermill.inspect_notebook(str(path))) == assigned


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_makes_a_variable_that_is_called_like_a_parameter(path: Path) -> None:
    """Run again in the same kernel, the notebook would read it."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (given,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assigned = {target.id for node in ast.parse(given).body for target in getattr(node, "targets", [])}
    assert not assigned & parameters.made_by(cell.source for cell in cells if cell.source != given)
