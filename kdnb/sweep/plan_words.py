"""A plan in words: jobs, disk, and hours of each card."""

from collections.abc import Mapping, Sequence
from itertools import chain

from kdnb.sweep.costs import Cost
from kdnb.sweep.plan import Hours, Job, hours, together
from kdnb.sweep.status_words import aligned

Jobs = Mapping[str, Sequence[Job]]


def text(title: str, jobs: Jobs) -> str:
    """What does not depend on a card: a line a group, then all together."""
    every = list(chain.from_iterable(jobs.values()))
    rows = [["group", "jobs", "runs", "work", "disk"], *(_row(name, some) for name, some in jobs.items() if some)]
    rows.append(_row("together", every))
    extra = sum(job.extra for job in every)
    beside = f"Disk is that of finished runs; checkpoints take {_bytes(extra)} more if all are unfinished at once."
    return "\n".join([f"{title}: what would be trained from the start", *_table(rows), beside])


def hours_text(card: str, jobs: Jobs, measured: Sequence[Cost]) -> str:
    """Hours of each group and of all on the card of ``measured``; estimates are marked, with their sources."""
    spent = {name: together([hours(job, measured) for job in some]) for name, some in jobs.items() if some}
    whole = together(list(spent.values()))
    unit = "core hours" if "thread" in card else "GPU hours"
    rows = [["group", unit, "fastest to slowest measured"]]
    rows += [[name, *_hours(one)] for name, one in [*spent.items(), ("together", whole)]]
    scaled = [f"* estimate: scaled by arithmetic from {name}" for name in sorted(whole.scaled)]
    return "\n".join([f"{card}:", *_table(rows), *scaled])


def _row(name: str, some: Sequence[Job]) -> list[str]:
    count, runs = sum(job.runs > 0 for job in some), sum(job.runs for job in some)
    amounts = _operations(sum(job.operations for job in some)), _bytes(sum(job.kept for job in some))
    return [name, *(str(number or "-") for number in (count, runs)), *amounts]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in aligned(rows)]


def _hours(spent: Hours) -> list[str]:
    low, middle, high = (
        f"{value:.2g}" if value < 10 else f"{value:,.0f}"
        for value in (spent.rate.low, spent.rate.middle, spent.rate.high)
    )
    return [middle + "*" * bool(spent.scaled), f"{low} to {high}" if low != high else ""]


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def _operations(count: float) -> str:
    unit, size = ("PFLOP", 1e15) if count >= 1e14 else ("TFLOP", 1e12)
    return f"{count / size:,.0f} {unit}" if count >= 100 * size else f"{count / size:.3g} {unit}"
