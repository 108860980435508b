"""``python -m kdnb set-aside FOLDER``: set aside the runs that other training code made.

For studies that are cheap to redo. Their results are not deleted at once: a run goes to FOLDER.stale. Only the latest
of a name is kept there; the one set aside before it goes.
"""

import shutil
from pathlib import Path

from kdnb.runs import Run
from kdnb.train import locks


def set_aside(folder: Path, code: str) -> list[str]:
    """Move the runs under ``folder`` whose last session ran code with another digest than ``code``; their names.

    Raises ValueError for one that another job is at work on; OSError where no lock can be.
    """
    whole, moved = folder.resolve(), []  # "." has no name to put .stale behind
    for spec in sorted(whole.glob("*/spec.json")):
        run = Run(spec.parent)
        sessions = run.provenance["sessions"]
        if sessions and sessions[-1]["code"] == code:
            continue
        lock = locks.acquire(run.path / "lock", f"Nothing in {run.path} was moved.")
        if lock is None:
            raise ValueError(
                f"another job is at work on {run.path}, which other code began. Wait until it has ended, or stop it; "
                "then run again."
            )
        try:
            target = whole.with_name(f"{whole.name}.stale") / run.path.name
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            shutil.move(run.path, target)
            (target / "lock").unlink(missing_ok=True)
        finally:
            lock.release()
        moved.append(run.path.name)
    return moved
