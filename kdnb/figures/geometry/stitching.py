"""Stitching: teachers' classifiers behind students' features, as they are, matched, linearly mapped."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_agreement, over_seeds, stitched, words
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import ACCURACY_MARGIN
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.geometry import class_distances

RELATIONS = {
    "own": ("its teacher", style.TEACHER, "circle"),
    "alike": ("same model, other seed", style.BYSTANDER, "circle-open"),
    "other": ("another model", "#cc79a7", "diamond-open"),
}


@exhibit(
    "stitching",
    "Test accuracy of teachers' classifiers on students' features: as they are, matched, mapped.",
    step="study",
)
def accuracies(studies: Mapping[str, Study]) -> Exhibit:
    """Test accuracy of teachers' classifiers on each student's features, a panel a help; a figure a study."""
    found = {name: (study, stitched.table(study)) for name, study in studies.items()}
    figures = {name: _accuracies(*one) for name, one in found.items() if not one[1].empty}
    answer = words.sentence("; ".join(fits_its_own(name, *one) for name, one in found.items()))
    told = [class_agreement.how_to(one[0]) for name, one in found.items() if name not in figures]
    better = f"*Better*: by more than {100 * ACCURACY_MARGIN:g} points, by the whole interval."
    rows = pd.DataFrame([means(name, *found[name]) for name in figures]).fillna("–")
    table = style.folded("In numbers", style.table(rows, "stitched accuracies")) if figures else ""
    return Exhibit(figures or None, " ".join([*([better] if figures else []), *told]), answer, table)


def _accuracies(study: Study, found: pd.DataFrame) -> go.Figure:
    labels, level = list(study.groups), stitched.floors(found)
    named: set[str] = set()
    fig = style.grid(3, 1, list(stitched.HELP.values()), 700, shared_xaxes=True, vertical_spacing=0.06)
    for row, column in enumerate(stitched.HELP, 1):
        for relation, (name, color, symbol) in RELATIONS.items():
            shown = stitched.values(study, found, relation, column)
            look, means = {"color": color, "symbol": symbol}, over_seeds.estimates(shown)
            for trace in intervals.points(means, name, "accuracy", look, intervals.in_percent) if shown else []:
                fig.add_trace(trace.update(showlegend=trace.showlegend is not False and name not in named), row, 1)
            named |= {name} if shown else set()
        for kind, (name, color, dash) in class_distances.FLOORS.items():
            if np.isfinite(value := level.get(kind, {}).get(column, np.nan)):
                line = intervals.level(labels, value, name, color, dash)
                fig.add_trace(line.update(showlegend=row == 3, legendgroup=name), row, 1)
        top = 1.1 * float(found[column].max())  # an interval of few runs may reach below 0: an accuracy does not
        fig.update_yaxes(range=[0, top], **style.shares(".0%" if top > 0.1 else ".1%"), row=row)
    intervals.axis(fig, labels)
    fig.update_layout(legend={"orientation": "h", "y": -0.14})
    drawn = set(zip(found["label"], found["seed"], strict=True))
    those = [run for run in study.shown if (run.label, run.spec.init_seed) in drawn]
    return style.captioned(fig, study, "test accuracy of a teacher's classifier", those or study.shown)


def fits_its_own(name: str, study: Study, found: pd.DataFrame) -> str:
    """Whether, behind a linear map, the own teacher's classifier is ahead of another's, in a clause."""
    gaps = stitched.ahead(study, found)
    control = over_seeds.estimate(gaps.pop("normal", {}).values())
    ahead, margin = over_seeds.of_seeds(over_seeds.shared(gaps)), 100 * ACCURACY_MARGIN
    if not ahead.values:
        return f"it cannot be told on {name}, where no student that learned from its teacher is in all seeds"
    if not ahead.enough:
        so = "it cannot be told from so few seeds"
    else:
        so = "yes" if ahead.low > margin else "no" if ahead.high < margin else "undecided"
    beside = f", in normal training by {control.told('{:+z.2f}')}" if control.values else ""
    return f"{so} on {name}: behind a linear map it is ahead by {ahead.told('{:+z.2f}')} points{beside}"


def means(name: str, study: Study, found: pd.DataFrame) -> dict[str, str]:
    """How well the own teacher's classifier and another seed's do with each help, and what needs no training: a row."""
    gaps, row = stitched.ahead(study, found), dict[str, str]()
    taught = over_seeds.shared({label: by_seed for label, by_seed in gaps.items() if label != "normal"})
    for column, what in stitched.HELP.items():
        shown = (stitched.values(study, found, relation, column) for relation in ("own", "alike"))
        own, other = (_mean({label: one[label] for label in taught if label in one}) for one in shown)
        if np.isfinite(own) and np.isfinite(other):
            row[f"{what}: own teacher's, another's"] = f"{own:.1%}, {other:.1%}"
    # Not the rows of the table: at T = 1 another label, without T squared, has the same weights.
    count = sum(map(len, taught.values()))
    floors = {
        f"linear map, {class_distances.FLOORS[kind][0]}": f"{by['linear']:.1%}"
        for kind, by in stitched.floors(found).items()
    }
    return {"mean over": f"{words.counted(count, 'student')} of {name}"} | row | floors


def _mean(shown: Values) -> float:
    every = [value for by_seed in shown.values() for value in by_seed.values()]
    return float(np.mean(every)) if every else np.nan
