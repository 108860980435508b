"""``python -m kdnb set-aside FOLDER``: set aside the runs that other training code made.

For studies that are cheap to redo. Their results are not deleted at once: a run goes to FOLDER.stale. Only the latest
of a name is kept there; the one set aside before it goes.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from kdnb.files import way_out
from kdnb.runs import Run
from kdnb.train import locks
from kdnb.train.provenance import is_of_other_code


def set_aside(folder: Path, code: str) -> list[str]:
    """Move the runs under ``folder`` of which code with another digest than ``code`` trained an epoch; their names.

    Raises ValueError for one that another job is at work on; OSError where no lock can be, or nothing moved.
    """
    whole, moved = folder.resolve(), []  # "." has no name to put .stale behind
    for spec in sorted(whole.glob("*/spec.json")):
        run = Run(spec.parent)
        if run.provenance["sessions"] and not is_of_other_code(run, code):
            continue
        lock = locks.acquire(run.path / "lock", f"Nothing in {run.path} was moved.")
        if lock is None:
            raise ValueError(
                f"another job is at work on {run.path}, which other code began. Wait until it has ended, or stop it; "
                "then run again."
            )
        target = whole.with_name(f"{whole.name}.stale") / run.path.name
        try:
            _move(run.path, target)
        except OSError as error:
            raise OSError(
                f"could not move {run.path} to {target}: {error}. It is where it was; {way_out(error)}, then run again."
            ) from error
        finally:
            for place in (run.path, target):
                with suppress(OSError):  # it is in one of the two
                    (place / "lock").unlink()
            lock.release()
        moved.append(run.path.name)
    return moved


def _move(run: Path, target: Path) -> None:
    """Put ``run`` in the place of what is at ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    shutil.move(run, target)
