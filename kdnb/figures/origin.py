"""Which runs a figure shows and how they came about: a small digest that travels in the figure's ``layout.meta``."""

from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from kdnb.analysis import words
from kdnb.runs import Run

PACKAGES = {"python": "Python", "torch": "torch", "numpy": "numpy"}


def of(runs: Sequence[Run], teacher: Run | None = None) -> dict[str, Any]:
    """Folder, names, seeds, days of training, commits, hardware and versions of ``runs`` and their teacher; no path.

    Seeds are those of ``runs`` alone. Runs of several folders are named with theirs: two may have one name.
    """
    every = [*runs, *([teacher] if teacher and teacher not in runs else [])]
    folders = _unique(_folder(run) for run in every)
    sessions = [session for run in every for session in run.provenance["sessions"]]
    days = _unique(session["started"][:10] for session in sessions)
    versions = [session["versions"] for session in sessions]
    digest = {
        "runs": [f"{_folder(run)}/{run.path.name}" if len(folders) > 1 else run.path.name for run in every],
        "of": folders,
        "seeds": sorted({run.spec.init_seed for run in runs}),
        "trained": days[:1] + days[1:][-1:],  # the first and the last
        "commit": _unique(commit(session) for session in sessions),
        "hardware": _unique(hardware(session) for session in sessions),
        "versions": _unique(f"{PACKAGES[name]} {one[name]}" for one in versions for name in PACKAGES if name in one),
    }
    return {name: values for name, values in digest.items() if values}


def _folder(run: Run) -> str:
    return run.path.absolute().parent.name


def mark(fig: go.Figure, runs: Sequence[Run], teacher: Run | None = None) -> go.Figure:
    """Put the digest of ``runs`` and their teacher into ``fig``."""
    return fig.update_layout(meta=of(runs, teacher))


def hardware(session: dict[str, Any]) -> str:
    """What a session computed on; of a CPU also its threads."""
    made, threads = session["hardware"], words.counted(session["threads"], "thread")
    return f"{made['cpu']}, {threads}" if made["device"] == "cpu" else str(made["device"])


def commit(session: dict[str, Any]) -> str:
    """The commit of a session's code, and whether it had been changed since."""
    return (session["commit"] or "unknown")[:10] + (" and changes" if session["uncommitted_changes"] else "")


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
