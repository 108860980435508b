"""Which runs there are, and which of them are published: here alone the class of a run is decided."""

from dataclasses import fields
from pathlib import Path

from kdnb.checks import choice
from kdnb.runs.published import PublishedRun
from kdnb.runs.spec import RunSpec
from kdnb.runs.store import Run


def run_in(path: Path | str) -> Run:
    """The run in folder ``path``, as it is kept there: with everything, or published."""
    return (PublishedRun if (Path(path) / "published.json").exists() else Run)(path)


def load(path: Path | str) -> Run:
    """The run in folder ``path``; raises FileNotFoundError when there is none, ValueError when its spec is damaged."""
    run = run_in(path)
    _ = run.spec
    return run


def find(root: Path | str, **wanted: object) -> list[Run]:
    """Finished runs under ``root`` whose spec has the ``wanted`` field values, by method, temperature, seed.

    A copy of a run's folder under another name is no second run.
    """
    known = [field.name for field in fields(RunSpec)]
    for name in wanted:
        choice("run field", name, known)
    specs = sorted(Path(root).glob("*/spec.json"))
    every = [load(file.parent) for file in specs if (file.parent / "history.parquet").exists()]
    names = {run.path.name: run for run in every}
    once = [run for run in every if (own := names.get(run.spec.name, run)) is run or own.spec != run.spec]
    chosen = [run for run in once if all(getattr(run.spec, name) == value for name, value in wanted.items())]
    return sorted(chosen, key=_order)


def _order(run: Run) -> tuple[str, float, float, int]:
    parameters = run.spec.method_parameters
    return run.spec.method, parameters.get("temperature", 0.0), run.spec.weight_decay, run.spec.init_seed


def are_published(folder: Path) -> bool:
    """Whether ``folder`` holds published runs."""
    return any(folder.glob("*/published.json"))
