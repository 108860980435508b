"""Which runs there are, and which of them are published: here alone the class of a run is decided."""

import json
from collections.abc import Iterable
from dataclasses import fields
from itertools import chain
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

    A copy of a run's folder under another name is no second run; ValueError where two runs that differ have one name.
    """
    known = [field.name for field in fields(RunSpec)]
    for name in wanted:
        choice("run field", name, known)
    specs = sorted(Path(root).glob("*/spec.json"))
    every = [load(file.parent) for file in specs if (file.parent / "history.parquet").exists()]
    once: dict[str, Run] = {}
    for run in sorted(every, key=lambda run: run.path.name != run.spec.name):
        first = once.setdefault(run.spec.name, run)
        if odd := [name for name in known if getattr(first.spec, name) != getattr(run.spec, name)]:
            raise ValueError(
                f"{first.path} and {run.path} are both a {run.spec.name} and differ ({', '.join(odd)}); move one of "
                "them into another folder."
            )
    chosen = [run for run in once.values() if all(getattr(run.spec, name) == value for name, value in wanted.items())]
    return sorted(chosen, key=_order)


def find_students(folders: Iterable[Path]) -> list[Run]:
    """The finished students under several folders; one experiment that two of them hold, or a link, counts once."""
    once: dict[str, Run] = {}
    for run in chain.from_iterable(find(folder, role="student") for folder in folders):
        once.setdefault(json.dumps(run.spec.as_json(), sort_keys=True), run)
    return list(once.values())


def _order(run: Run) -> tuple[str, float, float, int]:
    parameters = run.spec.method_parameters
    return run.spec.method, parameters.get("temperature", 0.0), run.spec.weight_decay, run.spec.init_seed


def are_published(folder: Path) -> bool:
    """Whether ``folder`` holds published runs."""
    return any(folder.glob("*/published.json"))
