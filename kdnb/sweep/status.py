"""How far each run is, from its folder alone: nothing is written, and no process is asked for.

So it works beside a sweep that runs elsewhere, on a disk that several machines share. Whether a job is at work on a run
is told by its lock, where this machine can ask; a lock that is there and free here may be held by a machine whose locks
this one does not see. Then the time of the last epoch decides, and is said.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

from safetensors import SafetensorError, safe_open

from kdnb.runs import Run, run_in

State = Literal["done", "running", "stopped", "failed", "missing"]
STATES: tuple[State, ...] = get_args(State)
LATEST = 10  # epochs from which the usual time of one is told
PATIENCE, FIRST_PATIENCE = 3, 900.0  # usual epochs without a sign until a run counts as stopped; seconds, before two


@dataclass(frozen=True)
class Look:
    """What a run's folder tells.

    epoch       finished epochs, of ``epochs`` (0: unknown)
    seconds     the usual time of an epoch lately; None before the second
    age         seconds since its last sign of life; None where there is none, and for finished runs
    note        the error of a failed run; what is uncertain about another
    tested      on how many images a run that is done was tested, fewer in a trial of few images; None: unknown
    """

    folder: Path
    state: State
    epoch: int = 0
    epochs: int = 0
    seconds: float | None = None
    age: float | None = None
    note: str = ""
    tested: int | None = None

    @property
    def seconds_left(self) -> float | None:
        """At the usual rate; None where that is unknown, or nothing is at work."""
        if self.state != "running" or self.seconds is None:
            return None
        return (self.epochs - self.epoch) * self.seconds


def look(folder: Path, now: float | None = None, settings: Mapping[str, Any] | None = None) -> Look:
    """The run in ``folder`` as it is; ``now``: seconds since 1970, None for the clock's.

    settings: what its spec must say (see `Configuration.settings`): a finished trial is not what a study asks for.
    """
    run, moment = run_in(folder), time.time() if now is None else now
    try:
        epochs = run.spec.epochs
    except FileNotFoundError:
        there = folder.is_dir() and any(folder.iterdir())
        return Look(folder, "missing", note="begun, and nothing is written yet" if there else "")
    except (ValueError, OSError) as error:
        return Look(folder, "failed", note=str(error))
    if run.has_results and (odd := _other(run, settings or {})):
        return Look(folder, "failed", epochs if run.finished else 0, epochs, note=odd)
    if run.finished:
        return Look(folder, "done", epochs, epochs, tested=_tested(run))
    return _unfinished(run, epochs, moment)


def _tested(run: Run) -> int | None:
    """How many test images a finished run has outputs of; of its tensors only their shape is read."""
    try:
        if run.is_published:
            return run.test_images
        with safe_open(run.path / "features-final.safetensors", framework="pt") as file:
            return int(file.get_slice("test_labels").get_shape()[0])
    except (OSError, ValueError, SafetensorError):  # gone or damaged: whoever reads them says so
        return None


def _other(run: Run, settings: Mapping[str, Any]) -> str:
    """In which of ``settings`` the run is another experiment than asked, and the way out; empty: in none.

    A teacher of another recipe, but no shorter one, is none: it teaches as it is (see :mod:`kdnb.train.study`).
    """
    if run.finished and run.spec.role == "teacher" and run.spec.epochs >= settings.get("epochs", 0):
        return ""
    there = {name: getattr(run.spec, name) for name in settings}
    asked = {name: there[name] if value == "auto" else value for name, value in settings.items()}
    odd = [f"{name} {there[name]}, not {asked[name]}" for name in asked if there[name] != asked[name]]
    return f"another experiment than asked ({'; '.join(odd)}): move its folder away to train this one" if odd else ""


def _unfinished(run: Run, epochs: int, now: float) -> Look:
    trace = _times((run.path / "trace").glob("*.safetensors"))  # one file an epoch
    epoch, damage = _stored(run.path / "checkpoint.safetensors", len(trace))
    signs = [*trace, *_times([run.path / "spec.json", run.path / "provenance.json"])]
    seconds, age = _usual(trace), max(0.0, now - max(signs, default=now))
    locked, note = held(run.path / "lock"), ""
    state: State = "running" if locked else "stopped"
    if locked is None and age < (FIRST_PATIENCE if seconds is None else PATIENCE * seconds):
        state, note = "running", "by its last epoch: its lock is free here, so another machine has it, or it was killed"
    if failure := run.failure or damage * (
        not locked
    ):  # a run that fails leaves its group, and the group keeps its lock
        state, note = "failed", failure
    if run.finished:  # meanwhile
        return Look(run.path, "done", epochs, epochs)
    return Look(run.path, state, epoch, epochs, seconds, age, note)


def held(lock: Path) -> bool | None:
    """Whether a job holds the file ``lock``; False where there is none, None where it is free or cannot be asked here.

    A shared lock is tried and given back at once: nothing is written, and a job that comes in that very moment takes
    the run at its next look.
    """
    try:
        import fcntl

        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False  # a job makes it before it begins, and removes it at its end
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _stored(checkpoint: Path, traced: int) -> tuple[int, str]:
    """Finished epochs in a checkpoint, and what is wrong with it; of its tensors only the history's shape is read.

    ``traced``: those of which a classifier is kept, for a checkpoint that only its owner may read.
    """
    try:
        with safe_open(checkpoint, framework="pt") as file:
            return int(file.get_slice("history").get_shape()[0]), ""
    except FileNotFoundError:
        return 0, ""
    except OSError:
        return traced, ""
    except SafetensorError as error:
        return 0, f"checkpoint {checkpoint} is damaged ({error})"


def _times(files: Iterable[Path]) -> list[float]:
    """When each was written, in order; what vanishes meanwhile is left out."""
    found = []
    for file in files:
        try:
            found.append(file.stat().st_mtime)
        except OSError:
            continue
    return sorted(found)


def _usual(written: Sequence[float]) -> float | None:
    """The median step between the latest of these times; pauses between two calls are rare, and leave it alone."""
    latest = written[-LATEST - 1 :]
    steps = [after - before for before, after in zip(latest, latest[1:], strict=False)]
    return median(steps) if steps else None


def survey(
    groups: Mapping[str, Sequence[Path]], settings: Mapping[Path, Mapping[str, Any]] | None = None
) -> dict[str, list[Look]]:
    """A look at every run of every group; ``settings``: by folder, what was asked for."""
    asked = settings or {}
    return {
        name: [look(folder, settings=asked.get(folder)) for folder in folders]
        for name, folders in groups.items()
        if folders
    }


def found(runs: Path) -> dict[str, list[Path]]:
    """All run folders under ``runs``, where no configuration says what is asked for."""
    return {runs.name: sorted(file.parent for file in runs.glob("*/spec.json"))}


def counted(looks: Iterable[Look]) -> dict[State, int]:
    """How many are in each state."""
    states = [one.state for one in looks]
    return {state: states.count(state) for state in STATES}
