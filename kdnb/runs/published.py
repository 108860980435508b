"""Published runs (:mod:`kdnb.analysis.publish`) in the place of training: read when all is there, else refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdnb.runs import Run, RunSpec
from kdnb.runs.weights import weights_checksum


@dataclass(frozen=True)
class Known:
    """A teacher of whom a student's spec alone is asked: its weights were rounded, or left out."""

    identity: dict[str, str]


def are_in(folder: Path) -> bool:
    """Whether ``folder`` holds published runs."""
    return any(folder.glob("*/published.json"))


def teacher(folder: Path, name: str) -> Known:
    """The teacher of run ``name``; ValueError when it was not published."""
    run = Run(folder / name)
    _refuse_missing(folder, [] if run.finished else [name])
    return Known({"model": run.spec.model, "checksum": weights_checksum(run)})


def read(folder: Path, specs: Sequence[RunSpec]) -> list[Run]:
    """The runs of ``specs``; ValueError when some were not published, or with another spec."""
    _refuse_missing(folder, [spec.name for spec in specs if not Run(folder / spec.name).finished])
    found = [Run.open(folder, spec) for spec in specs]
    print(f"{len(found)} run(s) in {folder} were published: they are read, nothing is trained.", flush=True)
    return found


def _refuse_missing(folder: Path, names: Sequence[str]) -> None:
    if names:
        raise ValueError(
            f"{folder} holds published runs, without {', '.join(names)}, and nothing can be trained on there: choose "
            "another output_dir."
        )
