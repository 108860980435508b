"""What whole runs took, from the provenance of the published ones, into the costs that ``kdnb plan`` reads.

    python -m benchmarks.costs            # every session of results/ that trained a run's epochs to their end

Seconds are the session's, from its start to its end, by training image and run: steps, measuring, storing, and other
programs that ran beside. ``benchmarks.bench`` adds what it measures of steps by itself.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

from kdnb import paths
from kdnb.parameters import StudyParameters
from kdnb.sweep import costs, work
from kdnb.sweep.costs import Cost

FILE = Path(costs.__file__).with_name(costs.FILE)
FEWEST = 10  # epochs of a session that count: shorter ones are mostly their start


def add(found: list[Cost]) -> None:
    """Put measurements beside the known ones."""
    known = costs.read(FILE.read_text()) if FILE.exists() else []
    FILE.write_text(costs.written([*known, *found]))


def card(hardware: dict[str, str], threads: int) -> str:
    """What a card is called: a GPU's name, or a processor's with its threads."""
    threaded = f"{hardware['cpu']}, {threads} thread{'s' * (threads > 1)}"
    return threaded if hardware["device"] == "cpu" else hardware["device"]


@cache
def training_images(dataset: str) -> int:
    """How many there are."""
    return work.images(StudyParameters(dataset=dataset)).train


def sessions(results: Path) -> Iterator[Cost]:
    """The sessions that trained the published runs, each once."""
    for file in sorted(results.glob("*/*/provenance.json")):
        spec = json.loads((file.parent / "spec.json").read_text())
        images = training_images(spec["dataset"])
        for session in json.loads(file.read_text())["sessions"]:
            epochs = session.get("last_epoch", 0) - session["first_epoch"] + 1
            if epochs < FEWEST or file.parent.name != session["group"][0]:
                continue
            begun, ended = (datetime.fromisoformat(session[name]) for name in ("started", "ended"))
            runs = len(session["group"])
            yield Cost(
                card(session["hardware"], session["threads"]),
                "run",
                spec["dataset"],
                spec["model"],
                spec["precision"],
                spec["teacher_outputs"] or "none",
                runs,
                (ended - begun).total_seconds() / (epochs * images * runs),
                f"results/{file.parent.parent.name}, session of {session['started'][:16]}",
            )


if __name__ == "__main__":
    add(list(sessions(paths.root() / "results")))
