"""``python -m kdnb set-aside FOLDER``: set aside the runs that other training code made.

For studies that are cheap to redo. Nothing is deleted: a run goes to FOLDER.stale, in place of the one set aside there
before it.
"""

import shutil
from pathlib import Path

from kdnb.runs import Run


def set_aside(folder: Path, code: str) -> list[str]:
    """Move the runs under ``folder`` whose last session ran code with another digest than ``code``; their names."""
    moved = []
    for spec in sorted(folder.glob("*/spec.json")):
        run = Run(spec.parent)
        sessions = run.provenance["sessions"]
        if sessions and sessions[-1]["code"] == code:
            continue
        target = folder.with_name(f"{folder.name}.stale") / run.path.name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        shutil.move(run.path, target)
        moved.append(run.path.name)
    return moved
