"""Where classes lie in the feature spaces, in numbers: class by class, and over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import squareform

from kdnb.analysis import class_agreement, over_seeds, spaces, stats, words
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.selection import Study
from kdnb.analysis.separation import Map
from kdnb.figures import classes, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.tsne import MOMENTS
from kdnb.runs.store import Which

SIDES = {
    "own": ("its teacher", style.TEACHER, "circle"),
    "bystander": ("the bystander", style.BYSTANDER, "circle-open"),
}
FLOORS = {"pixels": ("pixels", "#009e73", "dot"), "untrained": ("untrained network", style.NORMAL, "dash")}
FEW_PAIRS = 500  # of classes, all of whose matrices a page can hold


# -- class by class ----------------------------------------------------------------------------------------------------


@exhibit(
    "class-distances-{of}",
    "Distances of all pairs of classes: one student's below the diagonal, the teacher's above it.",
    step="student",
)
def matrices(study: Study, which: Which = "final") -> Exhibit:
    """Normal training and KD by T, a figure each: below the diagonal the student's class distances, above it the
    teacher's; one colour scale for all. Of many classes only KD at T = 1, 4 and the highest, or a page grows heavy.

    With the labels of a stepper. Without the teacher's run the student's are on both sides.
    """
    runs = [run for run in study.students if run.spec.method in ("normal", "kd")] or study.students
    students = {run: gaps for run in runs if (gaps := class_agreement.class_gaps(run, which)) is not None}
    if max(len(gaps) for gaps in students.values()) > FEW_PAIRS:
        few = [study.nearest(t) for t in (1, 4, study.hottest)]
        students = {run: gaps for run, gaps in students.items() if run.spec.method != "kd" or run in few}
    taught = class_agreement.class_gaps(study.teacher, "final") if study.teacher else None
    every = np.concatenate([*students.values(), *([] if taught is None else [taught])])
    limits, order = (float(every.min()), float(every.max())), _order(study)
    figures = [_matrix(gaps, gaps if taught is None else taught, order, limits) for gaps in students.values()]
    text = f"{MOMENTS[which]} · below the diagonal the student, above it the teacher"
    for fig, run in zip(figures, students, strict=True):
        style.captioned(fig, study, text, [run])
    return Exhibit({run.label: fig for run, fig in zip(students, figures, strict=True)}, of=study.folder.name)


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
    "class-agreement-{of}",
    "Rank correlation of students' class distances with the teacher's and the bystander's, by method and T.",
)
def agreements(study: Study, found: class_agreement.Agreement) -> Exhibit:
    """``found`` by student, at matched accuracy above and at the last epoch below; the floors as lines."""
    labels = list(over_seeds.groups(study))
    fig = style.grid(2, 1, list(MOMENTS.values()), 560, shared_xaxes=True, vertical_spacing=0.09)
    for row, which in enumerate(MOMENTS, 1):
        for side, (name, color, symbol) in SIDES.items():
            shown = over_seeds.estimates(found.students[which].get(side, {}))
            for trace in intervals.points(shown, name, "ρ", {"color": color, "symbol": symbol}) if shown else []:
                fig.add_trace(trace.update(showlegend=row == 1 and trace.showlegend is not False), row, 1)
        for kind, value in found.floors.items():
            fig.add_trace(intervals.level(labels, value, *FLOORS[kind]).update(showlegend=row == 1), row, 1)
    fig.update_yaxes(title_text="rank correlation ρ")
    intervals.axis(fig, labels)
    fig.update_layout(legend={"orientation": "h", "y": -0.2})
    return Exhibit(
        style.captioned(fig, study, "class distances beside the teacher's", study.shown),
        agreement_sentence(study, found),
        of=study.folder.name,
    )


def agreement_sentence(study: Study, found: class_agreement.Agreement) -> str:
    """Are KD's class distances more its teacher's than the bystander's, and than normal training's are?"""
    final = found.students["final"]
    if "own" not in final:
        return f"The teacher of these students is not in {study.folder.name}: its class distances are not known."
    own, label, normal = final["own"], (study.nearest(4) or study.students[0]).label, "normal"
    text = [f"At the last epoch of **{label}** the mean ρ with its teacher is {_mean(own, label)}"]
    if normal in own and normal != label:
        beside = intervals.told(over_seeds.paired(own, own, label, normal))
        text.append(f"that of normal training {_mean(own, normal)}; difference {beside}")
    if "bystander" in final:
        beside = intervals.told(over_seeds.paired(own, final["bystander"], label))
        text.append(f"with the bystander it is {_mean(final['bystander'], label)}; difference {beside}")
    floors = [f"{FLOORS[kind][0]} {value:z.2f}" for kind, value in found.floors.items()]
    end = f" What was not learned gives: {style.joined(floors)}." if floors else ""
    if "bystander" not in final:
        end += f" Of a bystander only the last classifier is published. {class_agreement.how_to(study)}"
    return f"{'; '.join(text)}.{end}"


def _mean(values: Values, label: str) -> str:
    return f"{np.mean([*values[label].values()]):z.2f}"


@exhibit(
    "separation-{of}",
    "Four measures of how classes separate at matched accuracy, by method and T, with all seeds.",
)
def separations(study: Study, found: Mapping[str, Values]) -> Exhibit:
    """``found`` of `class_agreement.separation`, a panel a measure."""
    labels = list(over_seeds.groups(study))
    fig = style.grid(4, 1, list(class_agreement.SEPARATION.values()), 860, shared_xaxes=True, vertical_spacing=0.05)
    for row, (name, title) in enumerate(class_agreement.SEPARATION.items(), 1):
        colors = [color for label, color in zip(labels, intervals.colors(study), strict=True) if found[name].get(label)]
        for trace in intervals.points(over_seeds.estimates(found[name]), "seeds", title, {"color": colors}):
            fig.add_trace(trace.update(showlegend=False), row, 1)
    intervals.axis(fig, labels)
    return Exhibit(
        style.captioned(fig, study, MOMENTS["matched"], study.shown),
        separation_sentence(study, found),
        of=study.folder.name,
    )


def separation_sentence(study: Study, found: Mapping[str, Values]) -> str:
    """What KD at T = 4 has more than normal training of each measure, and how each goes with T."""
    hot, normal = study.nearest(4), study.get("normal")
    if hot is None or normal is None:
        return "Without KD and normal training there is nothing to compare."
    parts = [
        f"{name} {intervals.told(over_seeds.paired(found[key], found[key], hot.label, normal.label))}"
        for key, name in class_agreement.SEPARATION.items()
    ]
    trends = []
    for key, name in class_agreement.SEPARATION.items():
        pairs = [(t, value) for t, run in study.kd.items() for value in found[key].get(run.label, {}).values()]
        rank = stats.rank_correlation(*zip(*pairs, strict=True)) if len(pairs) > 2 else np.nan
        trends.append(f"{name} {words.number(rank, '{:z.2f}')}")
    return (
        f"**{hot.label}** minus normal training, seed by seed: {'; '.join(parts)}. Rank correlation of each "
        f"run's value with its T: {style.joined(trends)}."
    )
