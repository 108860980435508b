"""Front page: what was asked, answered by one sentence and two figures, then in a minute."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import crossed, design, over_seeds, stats, words
from kdnb.analysis.students import PEAK
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import ACCURACY_MARGIN
from kdnb.figures import claim_words, intervals, style
from kdnb.figures.correlation import norms
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.mu_curves.over_epochs import percent
from kdnb.figures.statistics import crossed as drawn_crossed
from kdnb.runs import Run

SYMBOLS = {"circle": "●", "circle-open": "○", "diamond-open": "◇"}
NEEDED = "reuse needs the teacher's own classifier"
NEEDLESS = "reuse does not need the teacher's own classifier"
UNSEEN = "no need of the teacher's own classifier is seen, and none is excluded"
UNDECIDED = "whether reuse needs the teacher's own classifier is not decided"
REUSES = {"answers": "answers are distilled", "maps": "features are matched"}  # rows of the design
LINE = 0.16  # of r: how far names of curves stand apart at least
NAMES = {
    "own": "its own, trained",
    "W_t": "the teacher's, W<sub>t</sub>",
    "W_o": "the bystander's, W<sub>o</sub>",
    "random": "random rows",
    "permuted": "W<sub>t</sub>, columns permuted",
    "rotated": "W<sub>t</sub>, rotated",
    "shuffled": "W<sub>t</sub>, classes shuffled",
}


@exhibit(
    "start-r-{of}",
    "r with the loss of mu, of mu to the bystander and of the classifier's norm against T; change of the norm.",
)
def r(study: Study) -> Exhibit:
    """The paper's correlation beside that of the bystander and of the norm."""
    fig = name_ends(norms.draw(study).update_layout(height=560)) if study.kd else None
    return Exhibit(fig, answer=drift(study), of=study.name)


def name_ends(fig: go.Figure) -> go.Figure:
    """Name the curves of r where they end, apart where they end together, in place of the legend."""
    curves = [trace for trace in fig.data if trace.name.startswith("r of ") and trace.mode == "lines+markers"]
    ends = {place: float(trace.y[-1]) for place, trace in enumerate(curves) if trace.y[-1] is not None}
    height = -np.inf
    for trace in (curves[place] for place in sorted(ends, key=ends.__getitem__)):
        height = max(float(trace.y[-1]), height + LINE)
        mark = SYMBOLS[trace.marker.symbol]
        name = trace.name.removeprefix("r of ").replace(" to the ", ", ")
        text = f'<span style="color:{trace.line.color}">{mark}</span> {name}'
        said = {"text": text, "font": {"size": 12}}
        place = {"x": 1, "xref": "x domain", "xanchor": "left", "xshift": 8, "row": 1, "col": 1}
        fig.add_annotation(y=height, showarrow=False, **said, **place)
    for trace in curves:
        trace.showlegend = False
    fig.layout.sliders = ()  # a moved warm-up would leave the names behind
    return fig.update_layout(margin_r=110)


def answer(papers: Sequence[Study], designs: Sequence[Study]) -> str:
    """The title's question and that of reuse in one sentence each, over all studies."""
    drifts = [found for found in map(_drift, papers) if found]
    yes, many = sum(found.farther for found in drifts), words.counted(len(drifts), "study", "studies")
    word = "Cannot be told" if not drifts else "Yes" if yes == len(drifts) else "Not everywhere" if yes else "Not seen"
    few = sum(found.seeds < stats.LEAST_RUNS for found in drifts)
    unsure = f" ({few} with too few seeds to be sure)" if few else ""
    nearer = "a student's raw μ falls farther to its own teacher than to one that it never saw"
    told = [f"{word}: {nearer} in {yes} of {many}{unsure}"]
    for row, where in REUSES.items():
        if needs := [_need(gaps) for study in designs if len(gaps := _gaps(study, row))]:
            counts = f"in {needs.count(NEEDED)} of {words.counted(len(needs), 'study', 'studies')}"
            without = f", and does without it in {needs.count(NEEDLESS)}" if NEEDLESS in needs else ""
            told.append(f"Where {where}, {NEEDED} {counts}{without}")
    return f"**{'. '.join(told)}.**"


class _Drift(NamedTuple):
    """Mean change of mu to the teacher and to the bystander, over so many seeds of a student."""

    run: Run
    mine: float
    other: float
    seeds: int
    farther: bool


def _drift(study: Study) -> _Drift | None:
    run = study.nearest(PEAK)
    group = over_seeds.groups(study)[run.label] if run else []
    moves = [(study.change("mu_raw", one), study.change("bystander_mu_raw", one)) for one in group]
    known = np.array([pair for pair in moves if np.isfinite(pair).all()])
    if not len(known) or run is None:
        return None
    mine, other = map(float, known.mean(axis=0))
    _, high = stats.mean_interval(known[:, 0] - known[:, 1])
    farther = mine < 0 and (high < 0 if len(known) >= stats.LEAST_RUNS else mine < other)
    return _Drift(run, mine, other, len(known), farther)


def drift(study: Study) -> str:
    """Whether mu falls, and farther than mu to the bystander, over the seeds of KD."""
    found = _drift(study)
    if found is None:
        pair = "μ to its teacher and to a bystander at two epochs after the warm-up"
        return f"**It cannot be told here: no student that learned by KD has a {pair}.**"
    few = "" if found.seeds >= stats.LEAST_RUNS else ", too few to be sure"
    verb = "falls" if found.mine < 0 else "does not fall"
    return (
        f"**{'Yes' if found.farther else 'No'}: after the warm-up a student's raw μ {verb} ({percent(found.mine)}), "
        f"and that to a bystander, a classifier it never saw, goes by {percent(found.other)} ({found.run.label}, "
        f"{words.counted(found.seeds, 'seed')}{few}).**"
    )


@exhibit("start-reuse-{of}", "Test accuracy by whose classifier the student was given, with 95 % intervals over seeds.")
def reuse(study: Study) -> Exhibit:
    """The design: a row a classifier, a dot a run, their mean and its 95 % interval."""
    found = design.by_classifier(study)
    if len(found) < 2:
        return Exhibit(answer=needed(study), of=study.name)
    labels = {NAMES[whose]: estimate for whose, estimate in found.items()}
    fig = style.grid(1, 1, height=130 + 36 * len(labels))
    heights = {name: float(-place) for place, name in enumerate(labels)}
    look = {"color": style.TEACHER, "symbol": "circle"}
    marks = intervals.points(labels, "students", "accuracy", look, intervals.in_percent)
    for trace in intervals.turned(marks, heights):
        fig.add_trace(trace.update(showlegend=False))
    fig.update_yaxes(tickvals=list(heights.values()), ticktext=list(heights), range=[-len(labels) + 0.4, 0.6])
    fig.update_xaxes(title_text="test accuracy, last epoch", **style.shares(".1%"))
    fig.update_layout(margin_l=190)
    return Exhibit(
        style.captioned(fig, study, "KD, T = 4", design.runs_by_classifier(study)), answer=needed(study), of=study.name
    )


def _gaps(study: Study, row: str) -> stats.Series:
    """Test accuracy behind the bystander's frozen classifier less that behind the teacher's, a number a seed."""
    cells = design.cells(study.every)
    mine, others = cells.get((row, "W_t")), cells.get((row, "W_o"))
    return others.less(mine) if mine and others else np.empty(0)


def _need(gaps: stats.Series) -> str:
    if len(gaps) < stats.LEAST_RUNS:
        return UNDECIDED
    low, high = stats.mean_interval(gaps)
    return NEEDED if high < -ACCURACY_MARGIN else NEEDLESS if low > -ACCURACY_MARGIN else UNSEEN


def needed(study: Study) -> str:
    """Whether reuse needs the teacher's own classifier: the bystander's frozen beside the teacher's frozen."""
    parts = []
    for row, where in REUSES.items():
        if len(gaps := _gaps(study, row)):
            low, high = stats.mean_interval(gaps)
            points = words.number(100 * gaps.mean(), "{:+z.2f}")
            other = f"the bystander's in its place makes {points} points{_between(100 * low, 100 * high)}"
            parts.append(f"Where {where}, {_need(gaps)}: {other}")
    if not parts:
        return "**Whether reuse needs the teacher's classifier cannot be told here: the bystander's was not tried.**"
    return f"**{'. '.join(parts)}.**"


def _between(low: float, high: float) -> str:
    ends = " to ".join(words.number(end, "{:+.2f}") for end in (low, high))
    return f" (95 %: {ends})" if np.isfinite(low) else ""


def minute(papers: Sequence[Study]) -> str:
    """What the two figures do not say, in a few sentences of the study with the most seeds, in Markdown."""
    study = max(papers, key=lambda one: len(one.every))
    pairs = crossed.contrasts_of(study)
    said = [
        *([] if pairs.empty else [drawn_crossed.sentence(study, pairs)]),
        norms.sentence(study),
        plugged(study),
        f"**{claim_words.sentence(claim_words.judged(study))}**",
    ]
    told = "\n".join(f"- {text.replace('**', '')}" for text in said)
    return f"On {study.name}, where the most students were trained:\n\n{told}"


def plugged(study: Study) -> str:
    """How the teacher's classifier does on the features of a student: as they are, and matched."""
    run = study.leading
    group = over_seeds.groups(study)[run.label]
    raw, matched = (
        float(
            np.mean(
                [one.last(f"plug_in_accuracy{kind}") for one in group if f"plug_in_accuracy{kind}" in one.history]
                or [np.nan]
            )
        )
        for kind in ("", "_matched")
    )
    return (
        f"Put on the features of {run.label}, W<sub>t</sub> is right on {words.number(raw, '{:.0%}')} of the test "
        f"images, and on {words.number(matched, '{:.0%}')} once the features are matched."
    )
