"""Does W_t work on the student's features?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, stitched, words
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import NINE_TENTHS
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.geometry.class_distances import FLOORS
from kdnb.runs import Run

OWN = "#009e73"
PLUGGED = {
    "plug_in_accuracy": ("W<sub>t</sub> as it is", style.TEACHER, "dot"),
    "plug_in_accuracy_matched": ("W<sub>t</sub>, matched", style.TEACHER, "solid"),
    "test_accuracy": ("its own classifier", OWN, "dash"),
}
BACK = {"color": style.OTHER, "width": 1.5}


@exhibit(
    "plug-in-accuracy",
    "Test accuracy over the epochs with the teacher's classifier, as it is and matched, and with the own one.",
    step="student",
)
def plugged(study: Study, *others: Study) -> Exhibit:
    """One figure a student, the mean over its seeds: accuracy with its own classifier and with W_t; normal behind.

    others: of which the answer tells as well
    """
    every = (study, *others)
    figures = {run.label: _plugged(study, run) for run in study.first_of_each}
    answer = words.sentence("; ".join(f"{works(one)} on {one.name}{in_numbers(one)}" for one in every))
    brief = words.sentence(style.together((works(one), one.name) for one in every))
    return Exhibit(figures, answer=answer, brief=brief, start=study.leading.label)


def _plugged(study: Study, run: Run) -> go.Figure:
    fig = style.grid(1, 1, height=420)
    groups = study.groups
    shown = list(groups[run.label])
    if "normal" in groups:  # behind itself too: steps with as many traces share what does not change
        name = "normal training: W<sub>t</sub>, matched"
        fig.add_trace(
            style.curve(over_seeds.mean_history(_plugged_in(groups["normal"])), "plug_in_accuracy_matched", name, BACK)
        )
        shown += [one for one in groups["normal"] if one not in shown]
    table = over_seeds.mean_history(_plugged_in(groups[run.label]))
    for column, (name, color, dash) in PLUGGED.items():
        fig.add_trace(style.curve(table, column, name, {"color": color, "dash": dash, "width": 2}))
    fig.update_yaxes(title_text="test accuracy", **style.shares(".0%"), range=[0, 1.03])
    fig.update_xaxes(title_text="epoch", range=[0, study.epochs])
    style.mark_drops(fig, run)
    return style.captioned(fig, study, f"{run.label}, mean over seeds", shown)


def _plugged_in(group: Sequence[Run]) -> Sequence[Run]:
    """Those in which W_t was plugged in; where none was, all, whose means have no such column."""
    return over_seeds.having(group, *PLUGGED) or group


def works(study: Study) -> str:
    """Whether W_t, matched, keeps nine tenths of the own accuracy of KD, T = 4, and of normal training."""
    ends = _ends(study)
    if not ends:
        return "it cannot be told, since plug-in accuracy was not measured,"
    kept = [estimate(row["plug_in_accuracy_matched"] / row["test_accuracy"] - NINE_TENTHS) for row in ends.values()]
    if not all(one.enough for one in kept):
        return "it cannot be told from so few seeds"
    sides = {one.side for one in kept}
    if sides == {1}:
        return f"yes, once matched{', taught or not,' if len(kept) > 1 else ''}"
    if sides == {-1}:
        return "no, not even matched,"
    return "yes, once matched and taught," if [one.side for one in kept] == [1, -1] else "undecided, even matched,"


def in_numbers(study: Study) -> str:
    """Means over seeds, and what was not trained reaches when matched, in brackets; empty without any."""
    parts = []
    for label, row in _ends(study).items():
        matched, own = (row[column].mean() for column in ("plug_in_accuracy_matched", "test_accuracy"))
        parts.append(f"{label} {matched:.1%}, its own classifier {own:.1%}")
    known = {kind: by["matched"] for kind, by in stitched.floors(stitched.table(study)).items()}
    level = [f"{FLOORS[kind][0]} {share:.1%}" for kind, share in known.items() if np.isfinite(share)]
    untaught = [f"to compare, {style.joined(level)}"] if level and parts else []
    return f" ({'; '.join(parts + untaught)})" if parts else ""


def _ends(study: Study) -> dict[str, pd.DataFrame]:
    """The columns of PLUGGED at the last epoch, a row a seed that has them, of KD at T = 4 and normal training."""
    found = {run.label: over_seeds.having(study.groups[run.label], *PLUGGED) for run in study.leading_pair}
    return {
        label: pd.DataFrame([{column: run.last(column) for column in PLUGGED} for run in runs])
        for label, runs in found.items()
        if runs
    }
