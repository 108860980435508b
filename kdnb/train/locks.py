"""Keeping other jobs off what one job is at work on: the system's own lock, free the moment that a job dies."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kdnb.runs import Run

POLL = 1.0  # seconds between two looks at a lock that another job holds


def acquire(path: Path, way_out: str, seconds: float = 0.0) -> FileLock | None:
    """The lock at ``path``, held; None where another job has it for ``seconds`` more; OSError where no lock can be."""
    # The system's lock or none: the soft one in its place would outlive a job that is killed.
    lock = FileLock(path, fallback_to_soft=False, poll_interval=POLL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=-1 if seconds == float("inf") else seconds)
    except Timeout:
        return None
    except OSError as error:
        raise OSError(f"{path} cannot be locked: {error}. {way_out}") from error
    return lock


@contextmanager
def alone(path: Path, what: str, way_out: str) -> Iterator[None]:
    """Keep other jobs out of ``what``; a job that comes second waits, and says so."""
    if (lock := acquire(path, way_out)) is None:
        print(f"{path.parent}: another job is at work on this {what}; waiting for it.", flush=True)
        lock = acquire(path, way_out, float("inf"))
    assert lock is not None  # a wait without an end ends with the lock
    try:
        yield
    finally:
        lock.release()


@contextmanager
def ours(waiting: Sequence[Run], seconds: float = float("inf")) -> Iterator[list[Run]]:
    """Those of ``waiting`` that no other job is at work on, kept for this one until the end.

    Where other jobs have them all, the first, once it is free; none where that takes more than ``seconds``. Whoever
    waits holds nothing, so that jobs cannot wait for each other.
    """
    with ExitStack() as held:
        mine = [run for run in waiting if _take(run, held)]
        if not mine:
            print(f"{waiting[0].path}: another job is at work on this run; waiting for it.", flush=True)
            mine = [run for run in waiting[:1] if _take(run, held, seconds)]
        yield mine


def _take(run: Run, held: ExitStack, seconds: float = 0.0) -> bool:
    path = run.path / "lock"
    if (lock := acquire(path, "Choose another output_dir.", seconds)) is None:
        return False
    held.callback(lock.release)
    # First of all, while the lock is ours: whoever waits for this very file sees that it is gone, and looks anew.
    held.callback(path.unlink, missing_ok=True)
    return True
