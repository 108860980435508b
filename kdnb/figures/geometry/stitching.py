"""Stitching: teachers' classifiers behind students' features, as they are, matched, linearly mapped."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_agreement, over_seeds, stats, stitched, words
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
    tables = {name: stitched.table(study) for name, study in studies.items()}
    there = {name: (studies[name], table) for name, table in tables.items() if not table.empty}
    if not there:
        how = class_agreement.how_to(next(iter(studies.values())))
        return Exhibit(answer=f"**It cannot be told: no classifier was put behind other features.** {how}")
    figures = {name: _accuracies(*one) for name, one in there.items()}
    return Exhibit(figures, answer=sentence(*next(iter(there.values()))))


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


def sentence(study: Study, found: pd.DataFrame) -> str:
    """Does it single out the own teacher behind a linear map, and how much of it needs no training?"""
    gaps = stitched.ahead(study, found)
    control = over_seeds.estimate(gaps.pop("normal", {}).values())
    taught, parts = over_seeds.shared(gaps), []
    if not taught:
        return (
            f"**It cannot be told on {study.folder.name}: no student that learned from its teacher is in all seeds.**"
        )
    for column, name in stitched.HELP.items():
        shown = (stitched.values(study, found, relation, column) for relation in ("own", "alike"))
        own, other = (_mean({label: one[label] for label in taught if label in one}) for one in shown)
        if np.isfinite(own) and np.isfinite(other):
            parts.append(f"{name} {own:.1%} and {other:.1%}")
    ahead = over_seeds.of_seeds(taught)
    margin = 100 * ACCURACY_MARGIN
    if len(ahead.values) < stats.LEAST_RUNS:
        so = "It cannot be told with so few seeds"
    elif ahead.low > margin:
        so = "Those who learned from it"
    else:
        so = "Whoever sees these images" if ahead.high < margin else "It is undecided"
    # Not the rows of the table: at T = 1 another label, without T squared, has the same weights.
    count = sum(map(len, taught.values()))
    beside = f", in normal training by {control.told('{:+.2f}')}" if control.values else ""
    level = [f"{class_distances.FLOORS[kind][0]} {by['linear']:.1%}" for kind, by in stitched.floors(found).items()]
    floors = f"; without training, through such a map, {style.joined(level)}" if level else ""
    return (
        f"**{so}: on {study.folder.name}, over {words.counted(count, 'student')} that learned from it and are in every "
        f"seed, with the own teacher's classifier and another seed's, {'; '.join(parts)}. "
        f"Behind a linear map the own one is ahead by {ahead.told('{:+.2f}')} points{beside}{floors}.**"
    )


def _mean(shown: Values) -> float:
    every = [value for by_seed in shown.values() for value in by_seed.values()]
    return float(np.mean(every)) if every else np.nan
