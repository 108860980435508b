"""Stitching: teachers' classifiers behind students' features, as they are, relabelled, linearly mapped."""

import numpy as np
import pandas as pd

from kdnb.analysis import class_agreement, over_seeds, stitched
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.geometry import class_distances

RELATIONS = {
    "own": ("its teacher", style.TEACHER, "circle"),
    "alike": ("same model, other seed", style.BYSTANDER, "circle-open"),
    "other": ("another model", "#cc79a7", "diamond-open"),
}


@exhibit(
    "stitching-{of}",
    "Test accuracy of teachers' classifiers on students' features: as they are, relabelled, mapped.",
)
def accuracies(study: Study, found: pd.DataFrame) -> Exhibit:
    """Test accuracy of teachers' classifiers on each student's features, a panel a help; lines: untrained."""
    if found.empty:
        return Exhibit(says=sentence(study, found), of=study.folder.name)
    labels, level = list(over_seeds.groups(study)), stitched.floors(found)
    named: set[str] = set()
    fig = style.grid(3, 1, list(stitched.HELP.values()), 760, shared_xaxes=True, vertical_spacing=0.06)
    for row, column in enumerate(stitched.HELP, 1):
        for relation, (name, color, symbol) in RELATIONS.items():
            shown = stitched.values(study, found, relation, column)
            look, means = {"color": color, "symbol": symbol}, over_seeds.estimates(shown)
            for trace in intervals.points(means, name, "accuracy", look) if shown else []:
                fig.add_trace(trace.update(showlegend=trace.showlegend is not False and name not in named), row, 1)
            named |= {name} if shown else set()
        for kind, (name, color, dash) in class_distances.FLOORS.items():
            if np.isfinite(value := level.get(kind, {}).get(column, np.nan)):
                line = intervals.level(labels, value, name, color, dash)
                fig.add_trace(line.update(showlegend=row == 3, legendgroup=name), row, 1)
        top = 1.1 * float(found[column].max())  # an interval of few runs may reach below 0: an accuracy does not
        fig.update_yaxes(range=[0, top], tickformat=".0%" if top > 0.1 else ".1%", row=row)
    intervals.axis(fig, labels)
    fig.update_layout(legend={"orientation": "h", "y": -0.14})
    return Exhibit(
        style.captioned(fig, study, "test accuracy of a teacher's classifier", study.shown),
        sentence(study, found),
        of=study.folder.name,
    )


def sentence(study: Study, found: pd.DataFrame) -> str:
    """Does it single out the own teacher, and how much of it needs no training?"""
    if found.empty:
        return class_agreement.how_to(study)
    parts = []
    for column, name in stitched.HELP.items():
        own, other = (_mean(stitched.values(study, found, relation, column)) for relation in ("own", "alike"))
        if np.isfinite(own) and np.isfinite(other):
            parts.append(f"{name}: {own:.1%} with its teacher's classifier, {other:.1%} with another seed's")
    accuracy = _mean(stitched.values(study, found, "own", "accuracy"))
    ahead = intervals.told(100 * stitched.ahead(study, found), " percentage points")
    level = [f"{class_distances.FLOORS[kind][0]} {by['linear']:.1%}" for kind, by in stitched.floors(found).items()]
    return (
        f"Mean over the {len(study.shown)} students shown (their own classifiers: {accuracy:.1%}); "
        f"{'; '.join(parts)}. With a linear map the own teacher is ahead by {ahead}. "
        f"The same map without any training: {style.joined(level)}."
    )


def _mean(shown: Values) -> float:
    every = [value for by_seed in shown.values() for value in by_seed.values()]
    return float(np.mean(every)) if every else np.nan
