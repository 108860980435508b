"""Does W_t work on the student's features?"""

from collections.abc import Sequence

import plotly.graph_objects as go

from kdnb.analysis import over_seeds, words
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import NINE_TENTHS
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
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
def plugged(study: Study) -> Exhibit:
    """One figure a student, the mean over its seeds: accuracy with its own classifier and with W_t; normal behind."""
    start = study.leading
    figures = {run.label: _plugged(study, run) for run in study.first_of_each}
    return Exhibit(
        figures, answer=plugged_sentence(study), brief=plugged_sentence(study, brief=True), start=start.label
    )


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


def plugged_sentence(study: Study, *, brief: bool = False) -> str:
    """Whether W_t keeps nine tenths of the own accuracy on KD's features, T = 4, and on normal training's.

    brief: without the accuracies
    """
    runs = {run.label: _plugged_in(study.groups[run.label]) for run in study.leading_pair}
    ends = {label: over_seeds.mean_history(group).iloc[-1].reindex(list(PLUGGED)) for label, group in runs.items()}
    known = {label: row for label, row in ends.items() if row.notna().all()}
    if not known:
        return "**It cannot be told: plug-in accuracy was not measured on these students.**"
    parts, works = [], []
    for label, row in known.items():
        raw, matched, own = row
        works.append(matched >= NINE_TENTHS * own)
        parts.append(f"{label} {raw:.0%} as it is, {matched:.1%} matched, {own:.1%} with its own classifier")
    so = "Yes, once matched" if works[0] else "No, not even matched"
    if "normal" in known and len(known) > 1:
        so += ", and without teaching " + ("too" if works[-1] else "not")
    numbers = "" if brief else f": {'; '.join(parts)}"
    seeds = words.span([len(runs[label]) for label in known], "seed")
    return f"**{so}{numbers} (means over {seeds}).**"
