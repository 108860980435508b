"""Where classes lie in the feature spaces, in numbers: class by class, and over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import squareform

from kdnb.analysis import class_agreement, over_seeds, spaces, stats, words
from kdnb.analysis.over_seeds import Values, estimate, paired
from kdnb.analysis.separation import Map
from kdnb.analysis.study import Study
from kdnb.figures import classes, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.tsne import MOMENTS

FLOORS = {"pixels": ("pixels", "#009e73", "dot"), "untrained": ("untrained network", style.NORMAL, "dash")}
FEW_PAIRS = 500  # of classes, all of whose matrices a page can hold


# -- class by class ----------------------------------------------------------------------------------------------------


@exhibit(
    "class-distances",
    "Distances of all pairs of classes: one student's below the diagonal, the teacher's above it.",
    step="student",
)
def matrices(studies: Mapping[str, Study]) -> Exhibit:
    """Normal training and KD by T of each study, a figure each: below the diagonal the student's class distances at the
    last epoch, above it the teacher's; one colour scale a study. Without the teacher's run the student's on both sides.
    """
    figures = {f"{label}, {name}": fig for name, study in studies.items() for label, fig in _matrices(study).items()}
    first = next(iter(studies.values()))
    start = first.leading.label
    return Exhibit(figures, answer=matrix_sentence(first, start), start=f"{start}, {next(iter(studies))}")


def _matrices(study: Study) -> dict[str, go.Figure]:
    runs = [run for run in study.students if run.spec.method in ("normal", "kd")] or study.students
    students = {run: gaps for run in runs if (gaps := class_agreement.class_gaps(run, "final")) is not None}
    if max((len(gaps) for gaps in students.values()), default=0) > FEW_PAIRS:  # or a page grows heavy
        few = [study.nearest(t) for t in (1, 4, study.hottest)]
        students = {run: gaps for run, gaps in students.items() if run.spec.method != "kd" or run in few}
    taught = class_agreement.class_gaps(study.teacher, "final") if study.teacher else None
    every = np.concatenate([*students.values(), *([] if taught is None else [taught])])
    limits, order = (float(every.min()), float(every.max())), _order(study)
    text = "below: the student, above: the teacher"
    return {
        run.label: style.captioned(_matrix(gaps, gaps if taught is None else taught, order, limits), study, text, [run])
        for run, gaps in students.items()
    }


def matrix_sentence(study: Study, label: str) -> str:
    """How alike the student of that label and its teacher order the distances; over seeds beside normal training."""
    found = class_agreement.agreement(study).students["final"].get("own", {})
    rho = {one: found[one][study.seed] for one in (label, "normal") if study.seed in found.get(one, {})}
    if label not in rho:
        return "**It cannot be told: the teacher of these students is not here.**"
    told = ", ".join(f"{one} {words.number(value, '{:z.2f}')}" for one, value in rho.items())
    here = f"{told} (seed {study.seed} of {study.folder.name})"
    if not (gaps := estimate(paired(found, found, label, "normal"))).values:
        return f"**One number for the picture: rank correlation of the distances with the teacher's {here}.**"
    more = f"{'less' if gaps.side < 0 else 'more'} like its teacher than normal training is"
    so = f"{label} is {more}" if gaps.side else f"It cannot be told whether {label} is {more}"
    return f"**{so}: rank correlation of the distances {here}, over seeds ahead by {gaps.told('{:+.2f}')}.**"


@dataclass(frozen=True)
class _Order:
    """Classes group by group: their labels and names; what stands at the axes, by name; where groups end."""

    places: list[int]
    names: list[str]
    ticks: dict[str, str]
    borders: list[float]


def _order(study: Study) -> _Order:
    space = spaces.space(study.students[0], "final")
    assert space is not None  # a finished run has one
    groups = classes.groups(study.students[0].spec.dataset, space.labels)
    places = [label for group in groups for label in group.classes]
    names = [name for group in groups for name in group.classes.values()]
    if len(groups) == len(places):
        return _Order(places, names, {name: name.removeprefix("class ") for name in names}, [])
    middles = {list(group.classes.values())[len(group.classes) // 2]: group.name for group in groups}
    ends = np.cumsum([len(group.classes) for group in groups])[:-1] - 0.5
    return _Order(places, names, middles, ends.tolist())


def _matrix(student: Map, teacher: Map, order: _Order, limits: tuple[float, float]) -> go.Figure:
    below, above = (squareform(gaps)[np.ix_(order.places, order.places)] for gaps in (student, teacher))
    both = np.where(np.tri(len(below), dtype=bool), below, above)
    np.fill_diagonal(both, np.nan)
    z = [
        [int(value) if np.isfinite(value) else None for value in row] for row in both.round()
    ]  # short: a page is light
    trace = go.Heatmap(x=order.names, y=order.names, z=z, zmin=limits[0], zmax=limits[1], colorscale="Viridis")
    trace.update(hovertemplate="%{y}<br>%{x}<br>%{z} %<extra></extra>", hoverongaps=False)
    trace.update(colorbar={"thickness": 12, "ticksuffix": " %"})
    fig = style.grid(1, 1, height=520).add_trace(trace)
    white = {"color": "rgba(255,255,255,0.7)", "width": 1}
    for end in order.borders:
        fig.add_hline(end, line=white, layer="above").add_vline(end, line=white, layer="above")
    ticks = {"tickvals": list(order.ticks), "ticktext": list(order.ticks.values()), "showgrid": False}
    fig.update_xaxes(**ticks, constrain="domain", tickangle=-60 if order.borders else 0)
    # Along y the same names again would leave no room for the matrix on a phone.
    fig.update_yaxes(
        **ticks, constrain="domain", autorange="reversed", scaleanchor="x", showticklabels=not order.borders
    )
    return fig


# -- over seeds --------------------------------------------------------------------------------------------------------


@exhibit(
    "class-agreement",
    "Rank correlation of class distances with the teacher's, and how much more than with the bystander's, by T.",
    step="study",
)
def agreements(found: Mapping[str, tuple[Study, class_agreement.Agreement]]) -> Exhibit:
    """Agreement with the teacher at the last epoch above, with the floors as lines; below it less that with the
    bystander; a figure a study.
    """
    figures = {name: _agreements(*one) for name, one in found.items()}
    first = next(iter(found.values()))
    return Exhibit(figures, sharpest(*first), agreement_sentence(*first))


def _agreements(study: Study, found: class_agreement.Agreement) -> go.Figure:
    labels = list(study.groups)
    titles = ["ρ with its teacher", "ρ with its teacher − ρ with the bystander"]
    fig = style.grid(2, 1, titles, 560, shared_xaxes=True, vertical_spacing=0.1)
    final = found.students["final"]
    look = {"color": style.TEACHER, "symbol": "circle"}
    own = over_seeds.estimates(final.get("own", {}))
    beyond = over_seeds.estimates(class_agreement.beyond_the_bystander(found))
    for row, (name, shown) in enumerate((("its teacher", own), ("teacher − bystander", beyond)), start=1):
        for trace in intervals.points(shown, name, "ρ", look) if shown else []:
            fig.add_trace(trace.update(showlegend=False), row, 1)
    for kind, value in found.floors.items():
        fig.add_trace(intervals.level(labels, value, *FLOORS[kind]), 1, 1)
    fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), 2, 1)
    intervals.axis(fig, labels)
    fig.update_layout(legend={"orientation": "h", "y": -0.2})
    return style.captioned(fig, study, MOMENTS["final"], study.shown)


def agreement_sentence(study: Study, found: class_agreement.Agreement) -> str:
    """Are KD's class distances more its teacher's than the bystander's, and more so than normal training's are?"""
    own, beyond = found.students["final"].get("own", {}), class_agreement.beyond_the_bystander(found)
    label, name = study.leading.label, study.folder.name
    if not beyond.get(label):
        how = class_agreement.how_to(study)
        return f"**It cannot be told on {name}: class distances of both teachers are needed.** {how}"
    less = estimate(beyond[label].values())
    more = estimate(over_seeds.paired(beyond, beyond, label, "normal"))
    asked = [less, more] if more.values else [less]
    enough = min(len(one.values) for one in asked) >= stats.LEAST_RUNS
    seen = {1: "Yes", 0: "Not that it could be seen", -1: "No"}[min(one.side for one in asked)]
    so = seen if enough else "It cannot be told from so few seeds"
    beside = f"; beyond normal training {more.told('{:+z.2f}')}" if more.values else ""
    return (
        f"**{so}: on {name} the class distances of {label} agree with its teacher's by ρ = "
        f"{words.number(estimate(own[label].values()).mean, '{:z.2f}')}, which is {less.told('{:+z.2f}')} more than "
        f"with the bystander's{beside}.**"
    )


def sharpest(study: Study, found: class_agreement.Agreement) -> str:
    """At which temperatures students agree with their teacher more than normally trained ones do."""
    own = found.students["final"].get("own", {})
    gaps = {t: estimate(over_seeds.paired(own, own, run.label, "normal")) for t, run in study.kd.items()}
    enough = {t: one for t, one in gaps.items() if len(one.values) >= stats.LEAST_RUNS}
    if not enough:
        return ""
    above = [f"{t:g}" for t, one in enough.items() if one.side > 0]
    rest = [f"{t:g}" for t, one in enough.items() if one.side <= 0]
    where = f"at T = {style.joined(above)}" if above else "at no T"
    off = over_seeds.off_zero(enough.values(), "temperature", 1)
    text = f"Agreement with the teacher is above normal training's by a whole interval {where}"
    return f"{text}{f', not at T = {style.joined(rest)}' if rest else ''} ({off})."


@exhibit(
    "separation",
    "Four measures of how classes separate at one accuracy, by method and T, with all seeds.",
    step="study",
)
def separations(found: Mapping[str, tuple[Study, Mapping[str, Values]]]) -> Exhibit:
    """What `class_agreement.separation` finds, a panel a measure, a figure a study."""
    figures = {name: _separations(*one) for name, one in found.items()}
    return Exhibit(figures, answer=separation_sentence(*next(iter(found.values()))))


def _separations(study: Study, found: Mapping[str, Values]) -> go.Figure:
    labels = list(study.groups)
    fig = style.grid(4, 1, list(class_agreement.SEPARATION.values()), 760, shared_xaxes=True, vertical_spacing=0.05)
    for row, (name, title) in enumerate(class_agreement.SEPARATION.items(), 1):
        colors = [color for label, color in zip(labels, intervals.colors(study), strict=True) if found[name].get(label)]
        for trace in intervals.points(over_seeds.estimates(found[name]), "seeds", title, {"color": colors}):
            fig.add_trace(trace.update(showlegend=False), row, 1)
    intervals.axis(fig, labels)
    return style.captioned(fig, study, MOMENTS["matched"], study.shown)


def separation_sentence(study: Study, found: Mapping[str, Values]) -> str:
    """Does KD at T = 4 separate classes better than normal training: what each measure says, by its interval."""
    hot, name = study.nearest(4), study.folder.name
    gaps = {
        key: estimate(over_seeds.paired(found[key], found[key], hot.label if hot else "", "normal"))
        for key in class_agreement.SEPARATION
    }
    if hot is None or not any(one.values for one in gaps.values()):
        return f"**It cannot be told on {name}: KD and normal training of one seed are needed.**"
    told = [f"{what} {gaps[key].told('{:+z.2g}')}" for key, what in class_agreement.SEPARATION.items()]
    # Classes that are farther apart have a smaller cosine.
    better = [estimate(-np.array(one.values)) if key == "class_similarity" else one for key, one in gaps.items()]
    enough = max(len(one.values) for one in gaps.values()) >= stats.LEAST_RUNS
    so = f"By {over_seeds.off_zero(better, 'measure', 1)}" if enough else "It cannot be told from so few seeds"
    return f"**{so}: on {name} {hot.label} has beside normal training of the same seed {'; '.join(told)}.**"
