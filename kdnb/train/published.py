"""Published runs (:mod:`kdnb.analysis.publish`) in the place of training: read when all is there, else refused."""

from collections.abc import Sequence
from pathlib import Path

from kdnb.runs import Run, RunSpec, run_in


def teacher(folder: Path, name: str, model: str | None = None) -> dict[str, str]:
    """How students' specs name the teacher of run ``name``, whose weights were rounded, or left out.

    ValueError when it was not published, or is another network than ``model``.
    """
    run = run_in(folder / name)
    _refuse_missing(folder, [] if run.finished else [name])
    check_network(run, model)
    return {"model": run.spec.model, "checksum": run.weights_checksum}


def check_network(run: Run, model: str | None) -> None:
    """ValueError where a teacher is another network than ``model``; None: any will do."""
    if model and run.spec.model != model:
        raise ValueError(
            f"{run.path} is a {run.spec.model}, and teacher_model is {model!r}: choose another output_dir or "
            "teacher_seed, or move that folder away."
        )


def read(folder: Path, specs: Sequence[RunSpec]) -> list[Run]:
    """The runs of ``specs``; ValueError when some were not published, or with another spec."""
    found = [run_in(folder / spec.name) for spec in specs]
    _refuse_missing(folder, [run.path.name for run in found if not run.finished])
    for run, spec in zip(found, specs, strict=True):
        run.check(spec)
    were = "run was" if len(found) == 1 else "runs were"
    print(f"In {folder} {len(found)} {were} published: nothing is trained.", flush=True)
    return found


def _refuse_missing(folder: Path, names: Sequence[str]) -> None:
    if names:
        raise ValueError(
            f"{folder} holds published runs, without {', '.join(names)}, and nothing can be trained on there: choose "
            "another output_dir."
        )
