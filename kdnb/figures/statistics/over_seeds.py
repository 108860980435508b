"""R of mu and the loss with the run as the unit of evidence: a value a seed, intervals over seeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import r_over_seeds, stats, words
from kdnb.analysis.correlations import CLOCK, PAPERS, READINGS
from kdnb.analysis.over_seeds import Estimate, more_than_chance, off_zero
from kdnb.analysis.r_over_seeds import Measured
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

LOOKS = {
    r_over_seeds.TEACHER: {"color": style.TEACHER, "symbol": "circle"},
    r_over_seeds.BYSTANDER: {"color": style.BYSTANDER, "symbol": "circle-open"},
}
SAID = partial(intervals.said, form="{:.3f}")


# ------------------------------------------------------------------------------------------------------------ drawing
@exhibit(
    "seeds-difference",
    "r with mu to the teacher less r with mu to the bystander, by student: a dot a seed, mean and interval.",
    step="study",
)
def differences(found: Sequence[Measured]) -> Exhibit:
    """What the teacher has beyond the bystander, a figure a study."""
    figures = {one.name: _differences(one) for one in found if one.labels}
    return Exhibit(figures or None, **told(found, difference_sentence))


@exhibit(
    "seeds-readings",
    "Five panels: the paper's r, within phases, of changes, norm fixed, of minus the epoch, by student, over seeds.",
    step="study",
)
def readings(found: Sequence[Measured]) -> Exhibit:
    """Four readings of the same r, and a clock's, a figure a study."""
    figures = {one.name: _readings(one) for one in found if one.labels}
    return Exhibit(figures or None, **told(found, readings_sentence))


def _differences(one: Measured) -> go.Figure:
    """r with mu to the teacher less r with mu to the bystander, paired by run."""
    fig = style.grid(1, 1, height=420)
    shown = {label: one.difference(label) for label in one.labels}
    fig.add_traces(intervals.points(shown, "r(teacher) − r(bystander)", "", LOOKS[r_over_seeds.TEACHER], SAID))
    fig.update_yaxes(title_text="r(teacher) − r(bystander)")
    return _finished(fig.update_layout(showlegend=False), one)


def _readings(one: Measured) -> go.Figure:
    """The four readings of the same r and a clock's, one panel each."""
    titles = [name[0].upper() + name[1:] for name in READINGS]
    fig = style.grid(len(titles), 1, titles, 980, shared_xaxes=True, vertical_spacing=0.05)
    for row, name in enumerate(READINGS, start=1):
        shown = {label: one.of(label, name) for label in one.labels}
        for trace in intervals.points(shown, name, "r", LOOKS[r_over_seeds.TEACHER], SAID):
            fig.add_trace(trace, row, 1)
        if not any(r.values for r in shown.values()):
            empty = {"text": "cannot be told: no run has epochs enough", "showarrow": False, "x": 0.5, "y": 0}
            fig.add_annotation(**empty, xref="x domain", row=row, col=1)
    fig.update_yaxes(title_text="r", range=[-1.08, 1.08])
    return _finished(fig.update_layout(showlegend=False, margin_t=84), one)


def _finished(fig: go.Figure, one: Measured) -> go.Figure:
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    intervals.axis(fig, one.labels)
    return style.captioned(fig, one.study, f"{style.window(one.study)}; 95% over seeds", one.runs)


# -------------------------------------------------------------------------------------------------------------- words
def told(found: Sequence[Measured], say: Callable[..., str], *more: Sequence[Any]) -> dict[str, str]:
    """A sentence a study where seeds are enough: an exhibit's ``answer``, of the first, and what it ``says`` of others.

    more: what ``say`` needs beside the study, a value each.
    """
    few = f"it cannot be told, since no student has an r after the warm-up on {stats.LEAST_RUNS} seeds."
    each = zip(found, *more, strict=True)
    first, *others = [f"{one.name}: {say(one, *its) if one.enough else few}" for one, *its in each]
    return {"answer": f"**{words.capital(first)}**", "says": " ".join(others)}


def difference_sentence(one: Measured) -> str:
    """For how many students r is higher or lower with mu to the teacher than with mu to the bystander."""
    shown = {label: one.difference(label) for label in one.enough}
    sizes = [abs(difference.mean) for difference in shown.values() if np.isfinite(difference.mean)]
    if not sizes:
        return "no bystander was followed."
    so = "yes" if more_than_chance(shown.values()) else "not seen"
    return (
        f"{so}; the interval of r(teacher) − r(bystander) leaves out zero for {intervals.off_zero(shown, 'student')}; "
        f"in size a student's mean difference is {np.median(sizes):.3f} at the median, {max(sizes):.2f} at most."
    )


def readings_sentence(one: Measured) -> str:
    """How many of the paper's r that leave out zero still do, with their sign, in each other reading."""
    r = {label: one.of(label, PAPERS) for label in one.enough}
    paper = {label: found.side for label, found in r.items() if found.side}
    off = f"the interval of the paper's r leaves out zero for {off_zero(r.values(), 'student')}"
    if not paper:
        return f"it cannot be told: {off}."
    others = [name for name in READINGS if name not in (PAPERS, CLOCK)]
    found = {name: _sides({label: one.of(label, name) for label in paper}) for name in others}
    every = [
        label for label in paper if all(known.get(label, paper[label]) == paper[label] for known in found.values())
    ]
    parts = [_kept(paper, name, known) for name, known in found.items()]
    keep = "keeps its" if len(paper) == 1 else "keep their"
    return (
        f"{len(every) or 'none'} of {len(paper)} r {keep} sign by a whole interval in every reading that can be told: "
        f"{', '.join(parts)} ({off}); {_clock(one)}."
    )


def _clock(one: Measured) -> str:
    """What a clock has in mu's place, and for how many independent epochs those of the window count; over runs."""
    columns = [CLOCK, PAPERS, r_over_seeds.EFFECTIVE]
    runs = one.table.loc[one.table["label"].isin(one.enough), columns]
    clock, mu, effective = runs.abs().median()
    return (
        f"in size r is {mu:.2f} at the median, with minus the epoch in μ's place {clock:.2f}; "
        f"{words.counted(one.study.epochs - one.study.warm_up, 'epoch')} count as {effective:.0f}"
    )


def _sides(found: Mapping[str, Estimate]) -> dict[str, int]:
    """On which side of zero the intervals of those lie that have three seeds."""
    return {label: r.side for label, r in found.items() if r.enough}


def _kept(paper: Mapping[str, int], name: str, known: Mapping[str, int]) -> str:
    """Of how many of the ``paper``'s signs another reading keeps or turns, of those ``known``."""
    if not known:
        return f"none can be told *{name}*"
    turned = [label for label, side in known.items() if side == -paper[label]]
    same = sum(side == paper[label] for label, side in known.items())
    of = f" of {len(known)}" if len(known) < len(paper) else ""
    turn = f" and {style.joined(turned)} {'turns' if len(turned) == 1 else 'turn'}" if turned else ""
    keeps = f"{'does' if same == 1 else 'do'}{' of the' if name == 'changes' else ''}"
    return f"{same or 'none'}{of} {keeps} *{name}*{turn}"
