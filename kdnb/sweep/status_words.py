"""A sweep's status in words: for a terminal, and as one self-contained page."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from kdnb.sweep.status import STATES, Look, counted

SHOWN = 12  # missing runs that are named; of more, the number
Survey = Mapping[str, Sequence[Look]]

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --edge: #8886; --done: #2a7f4f; --rest: #8884; --bad: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ --done: #5fc48d; --bad: #ff8a80; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--edge); padding: .3rem .6rem; text-align: left; vertical-align: top; }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
.failed {{ color: var(--bad); font-weight: 600; }}
progress {{ accent-color: var(--done); width: 8rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
<div>{groups}</div>
<p>{tested}</p>
<div>{runs}</div>
<p>{missing}</p>
<p>As of {when}, read from the run folders alone.</p>
</body>
</html>
"""


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``6.2 h``, ``3.1 days``."""
    for unit, size, form in (("days", 86400, "{:.1f}"), ("h", 3600, "{:.1f}"), ("min", 60, "{:.0f}")):
        if seconds >= 1.5 * size:
            return f"{form.format(seconds / size)} {unit}"
    return f"{seconds:.0f} s"


def summary(survey: Survey) -> str:
    """``3 of 87 runs done; 2 running, 1 failed, 81 missing``; what there is none of is left out."""
    every = list(chain.from_iterable(survey.values()))
    counts = counted(every)
    parts = [f"{counts[state]} {state}" for state in STATES[1:] if counts[state]]
    return f"{counts['done']} of {len(every)} runs done" + (f"; {', '.join(parts)}" if parts else "")


def tested(survey: Survey) -> str:
    """``test images of what is done: 128 (5 runs)``: fewer than there are tell of a trial; empty: none is known."""
    every = {one.folder: one.tested for one in chain.from_iterable(survey.values())}
    counts = sorted(Counter(count for count in every.values() if count is not None).items())
    parts = [f"{count:,} ({runs} run{'s' * (runs > 1)})" for count, runs in counts]
    return f"test images of what is done: {', '.join(parts)}" if parts else ""


def progress(one: Look) -> list[str]:
    """Epoch of epochs, the time of one, what is left, and the last sign of life."""
    rate = "" if one.seconds is None else f"{duration(one.seconds)} an epoch"
    left = "" if one.seconds_left is None else f"{duration(one.seconds_left)} left"
    seen = "" if one.age is None else f"last seen {duration(one.age)} ago"
    return [f"epoch {one.epoch} of {one.epochs}" if one.epochs else "", rate, left, seen]


def text(title: str, survey: Survey) -> str:
    """For a terminal: counts by group, a line for every run that is begun or failed, the names of what is missing."""
    lines = [f"{title}: {summary(survey)}"]
    rows = [["group", *STATES]]
    rows += [[name, *(str(count or "-") for count in counted(some).values())] for name, some in survey.items()]
    lines += ["", *aligned(rows)]
    lines += ["", tested(survey)] if tested(survey) else []
    for one in _begun(survey):
        told = ", ".join(filter(None, progress(one)))
        lines += ["", f"{one.state}: {one.folder.name}", *(f"  {part}" for part in (told, one.note) if part)]
    return "\n".join([*lines, "", _missing(survey)] if _missing(survey) else lines)


def page(title: str, survey: Survey, when: str) -> str:
    """The same as one page of HTML that needs nothing beside itself; ``when``: the moment, in words."""
    heads = "".join(f'<th class="n">{state}</th>' for state in STATES)
    groups = "".join(_group_row(name, some) for name, some in survey.items())
    runs = "".join(_run_row(one) for one in _begun(survey))
    return PAGE.format(
        title=html.escape(title),
        summary=html.escape(summary(survey)) + ".",
        groups=f"<table><tr><th>group</th><th>progress</th>{heads}</tr>{groups}</table>",
        tested=html.escape(tested(survey)),
        runs=f"<table><tr><th>run</th><th>state</th><th>how far</th><th>note</th></tr>{runs}</table>" if runs else "",
        missing=html.escape(_missing(survey)),
        when=html.escape(when),
    )


def _begun(survey: Survey) -> list[Look]:
    """What is neither done nor missing, failed first."""
    order = ["failed", "running", "stopped"]
    begun = {one.folder: one for one in chain.from_iterable(survey.values()) if one.state in order}
    return sorted(begun.values(), key=lambda one: order.index(one.state))


def _missing(survey: Survey) -> str:
    names = [one.folder.name for one in chain.from_iterable(survey.values()) if one.state == "missing"]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"missing: {', '.join(names[:SHOWN])}{more}" if names else ""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table for a terminal: a line a row, its first cell to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _group_row(name: str, looks: Sequence[Look]) -> str:
    counts, share = counted(looks), sum(one.epoch / one.epochs for one in looks if one.epochs) / len(looks)
    cells = "".join(f'<td class="n{" failed" * (state == "failed" and n > 0)}">{n}</td>' for state, n in counts.items())
    bar = f'<progress value="{share:.3f}" aria-label="{share:.0%} of {html.escape(name)}"></progress> {share:.0%}'
    return f"<tr><td>{html.escape(name)}</td><td>{bar}</td>{cells}</tr>"


def _run_row(one: Look) -> str:
    told = [one.folder.name, one.state, ", ".join(filter(None, progress(one))), one.note]
    first, state, *rest = (html.escape(part) for part in told)
    return f'<tr><td>{first}</td><td class="{state}">{state}</td>{"".join(f"<td>{part}</td>" for part in rest)}</tr>'
