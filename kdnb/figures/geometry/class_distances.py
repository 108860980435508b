"""Where classes lie in the feature spaces, in numbers: class by class, and over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.spatial.distance import squareform

from kdnb.analysis import class_agreement, over_seeds, spaces, words
from kdnb.analysis.over_seeds import Estimate, Values, estimate
from kdnb.analysis.separation import Map
from kdnb.analysis.study import Study
from kdnb.figures import classes, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.tsne import MOMENTS

FLOORS = {"pixels": ("pixels", "#009e73", "dot"), "untrained": ("untrained network", style.NORMAL, "dash")}
FINE = "{:+z.3f}"  # a difference of ρ: on a hundred classes an interval ends within hundredths of zero
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
    name, first = next(iter(studies.items()))
    told = "; ".join(alike(*one) for one in studies.items())
    answer = words.sentence(f"{told} (seed {first.seed})")
    return Exhibit(figures, answer=answer, start=f"{first.leading.label}, {name}")


def _matrices(study: Study) -> dict[str, go.Figure]:
    runs = [run for run in study.students if run.spec.method in ("normal", "kd")] or study.students
    students = {run: gaps for run in runs if (gaps := class_agreement.class_gaps(run)) is not None}
    if max((len(gaps) for gaps in students.values()), default=0) > FEW_PAIRS:  # or a page grows heavy
        few = [study.nearest(t) for t in (1, 4, study.hottest)]
        students = {run: gaps for run, gaps in students.items() if run.spec.method != "kd" or run in few}
    taught = class_agreement.class_gaps(study.teacher) if study.teacher else None
    every = np.concatenate([*students.values(), *([] if taught is None else [taught])])
    limits, order = (float(every.min()), float(every.max())), _order(study)
    text = "below: the student, above: the teacher"
    return {
        run.label: style.captioned(_matrix(gaps, gaps if taught is None else taught, order, limits), study, text, [run])
        for run, gaps in students.items()
    }


def alike(name: str, study: Study) -> str:
    """How alike the student in front and its teacher order the distances; normal training beside it; in a clause."""
    found = class_agreement.agreement(study).students.get("own", {})
    shown = {study.leading.label: study.leading.label} | {"normal": "normal training"}
    rho = {label: found[label][study.seed] for label in shown if study.seed in found.get(label, {})}
    if study.leading.label not in rho:
        return f"it cannot be told on {name}, where the teacher of these students is not kept"
    told = style.joined(f"{words.number(value, '{:z.2f}')} for {shown[label]}" for label, value in rho.items())
    return f"by ρ = {told} on {name}"


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
    trace.update(hovertemplate="%{y}<br>%{x}<br>%{z}%<extra></extra>", hoverongaps=False)
    # Below the buttons of the figure, which stand at its upper right.
    trace.update(colorbar={"thickness": 12, "ticksuffix": "%", "len": 0.6, "y": 0, "yanchor": "bottom"})
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
    clauses = zip(*(its_teachers(name, *one) for name, one in found.items()), strict=True)
    answer, brief = (words.sentence("; ".join(each)) for each in clauses)
    bare = [study for study, _ in found.values() if study.comparison("classes.safetensors") is None]
    says = [sharpest(found), *map(class_agreement.how_to, bare)]
    return Exhibit(figures, " ".join(filter(None, says)), answer, brief=brief)


def _agreements(study: Study, found: class_agreement.Agreement) -> go.Figure:
    labels = list(study.groups)
    titles = ["ρ with its teacher", "ρ with its teacher − ρ with the bystander"]
    fig = style.grid(2, 1, titles, 560, shared_xaxes=True, vertical_spacing=0.1)
    look = {"color": style.TEACHER, "symbol": "circle"}
    own = over_seeds.estimates(found.students.get("own", {}))
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


def its_teachers(name: str, study: Study, found: class_agreement.Agreement) -> tuple[str, str]:
    """Are KD's class distances more its teacher's than the bystander's, and more so than normal training's? A clause
    with its numbers, and one with the number of seeds alone.
    """
    own, beyond = found.students.get("own", {}), class_agreement.beyond_the_bystander(found)
    label = study.leading.label
    if not beyond.get(label):
        return (f"it cannot be told on {name}, where class distances of both teachers are not kept",) * 2
    less = estimate(beyond[label].values())
    more = over_seeds.beyond_normal(beyond, label)
    asked = [less, more] if more.values else [less]
    seeds = min(len(one.values) for one in asked)
    seen = {1: "yes", 0: "not seen", -1: "no"}[min(one.side for one in asked)]
    so = f"{seen if all(one.enough for one in asked) else 'it cannot be told from so few seeds'} on {name}"
    beside = f", and that by {more.told(FINE)} more than in normal training" if more.values else ""
    rho = words.number(estimate(own[label].values()).mean, "{:z.2f}")
    told = f"class distances of {label} agree with its teacher's by ρ = {rho}, by {less.told(FINE)} more"
    return f"{so}: {told} than with the bystander's{beside}", f"{so} (n\u00a0=\u00a0{seeds})"


def sharpest(found: Mapping[str, tuple[Study, class_agreement.Agreement]]) -> str:
    """At which temperatures students agree with their teacher more than normally trained ones do, study by study."""
    parts = []
    for name, (study, one) in found.items():
        gaps = {t: over_seeds.beyond_normal(one.students.get("own", {}), run.label) for t, run in study.kd.items()}
        enough = {t: gap for t, gap in gaps.items() if gap.enough}
        above, rest = ([f"{t:g}" for t, gap in enough.items() if (gap.side > 0) == so] for so in (True, False))
        where = f"at T = {style.joined(above)}" if above else "at no T"
        off = over_seeds.off_zero(enough.values(), "temperature", 1)
        parts += [f"{where}{f', not at {style.joined(rest)}' if rest else ''} on {name} ({off})"] if enough else []
    text = "Agreement with the teacher is above normal training's by a whole interval"
    return f"{text} {'; '.join(parts)}." if parts else ""


@exhibit(
    "separation",
    "Four measures of how classes separate at one accuracy, by method and T, with all seeds.",
    step="study",
)
def separations(found: Mapping[str, tuple[Study, Mapping[str, Values]]]) -> Exhibit:
    """What `class_agreement.separation` finds, a panel a measure, a figure a study."""
    figures = {name: _separations(*one) for name, one in found.items()}
    answer = words.sentence("; ".join(better(name, *one) for name, one in found.items()))
    return Exhibit(figures, "", answer, by_how_much(found))


def _separations(study: Study, found: Mapping[str, Values]) -> go.Figure:
    labels = list(study.groups)
    fig = style.grid(4, 1, list(class_agreement.SEPARATION.values()), 760, shared_xaxes=True, vertical_spacing=0.05)
    for row, (name, title) in enumerate(class_agreement.SEPARATION.items(), 1):
        colors = [color for label, color in zip(labels, intervals.colors(study), strict=True) if found[name].get(label)]
        for trace in intervals.points(over_seeds.estimates(found[name]), "seeds", title, {"color": colors}):
            fig.add_trace(trace.update(showlegend=False), row, 1)
    intervals.axis(fig, labels)
    return style.captioned(fig, study, MOMENTS["matched"], study.shown)


def better(name: str, study: Study, found: Mapping[str, Values]) -> str:
    """Does KD at T = 4 separate classes better than normal training: by how many measures' intervals, in a clause."""
    gaps = _beside_normal(study, found)
    if not gaps:
        return f"it cannot be told on {name}, where no seed has both KD and normal training"
    if not any(one.enough for one in gaps.values()):
        return f"it cannot be told from so few seeds on {name}"
    by_side: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for key, one in gaps.items():  # classes that are farther apart have a smaller cosine
        by_side[-one.side if key == "class_similarity" else one.side].append(class_agreement.SEPARATION[key])
    above, unseen, below = by_side.values()
    if len(above) == len(gaps):
        return f"yes on {name}, by all {len(gaps)} measures"
    so = f"by {len(above)} of {len(gaps)} measures" if above else "no" if below else "not seen"
    rest = {"not seen by": unseen if above or below else [], "worse by": below}
    told = ", ".join(f"{how} {style.joined(which)}" for how, which in rest.items() if which)
    return f"{so} on {name}{told and f' ({told})'}"


def by_how_much(found: Mapping[str, tuple[Study, Mapping[str, Values]]]) -> str:
    """The differences behind :func:`better`, a row a study, folded; empty without any."""
    rows = []
    for name, one in found.items():
        if gaps := _beside_normal(*one):
            told = {class_agreement.SEPARATION[key]: gap.told("{:+z.2g}") for key, gap in gaps.items()}
            rows.append({"KD less normal training": name} | told)
    table = style.table(pd.DataFrame(rows).fillna("–"), "differences to normal training") if rows else ""
    return table and style.folded("By how much, seed by seed", table)


def _beside_normal(study: Study, found: Mapping[str, Values]) -> dict[str, Estimate]:
    """KD at T = 4 less normal training, seed by seed, by measure; those that both have."""
    hot = study.nearest(4)
    gaps = {key: over_seeds.beyond_normal(found[key], hot.label) for key in class_agreement.SEPARATION if hot}
    return {key: gap for key, gap in gaps.items() if gap.values}
