"""Does W_t work on the student's features, are they like the teacher's, and do they collapse as its do?"""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run
from kdnb.runs.store import column_of

OWN = "#009e73"
PLUGGED = {
    "plug_in_accuracy": ("W<sub>t</sub> as it is", style.TEACHER, "dot"),
    "plug_in_accuracy_matched": ("W<sub>t</sub>, relabelled", style.TEACHER, "solid"),
    "test_accuracy": ("its own classifier", OWN, "dash"),
}
PANELS = {"cka": "CKA with the teacher", "nc1": "NC1", "nc2": "NC2", "nc3": "NC3"}
BACK = {"color": style.OTHER, "width": 1.5}


# -------------------------------------------------------------------------------------------------------------- plug-in
@exhibit(
    "plug-in-accuracy",
    "Test accuracy over the epochs with the teacher's classifier, raw and relabelled, and with the own one.",
    step="student",
)
def plugged(study: Study) -> Exhibit:
    """One figure a student: test accuracy with its own classifier and with W_t; normal training's behind."""
    return Exhibit({run.label: _plugged(study, run) for run in study.students}, plugged_sentence(study))


def _plugged(study: Study, run: Run) -> go.Figure:
    fig = style.grid(1, 1, height=440)
    normal = study.get("normal")
    if normal:  # behind itself too: steps with as many traces share what does not change
        name = "normal training: W<sub>t</sub>, relabelled"
        fig.add_trace(style.curve(normal.history, "plug_in_accuracy_matched", name, BACK))
    for column, (name, color, dash) in PLUGGED.items():
        fig.add_trace(style.curve(run.history, column, name, {"color": color, "dash": dash, "width": 2}))
    fig.update_yaxes(title_text="test accuracy", tickformat=".0%", range=[0, 1.03])
    fig.update_xaxes(title_text="epoch", range=[0, study.epochs])
    style.mark_drops(fig, run)
    return style.captioned(fig, study, run.label, _with_normal(study, run))


def _with_normal(study: Study, run: Run) -> list[Run]:
    normal = study.get("normal")
    return [run, normal] if normal and normal is not run else [run]


def plugged_sentence(study: Study) -> str:
    """Accuracy of W_t at the last epoch for normal training and three temperatures."""
    shown = [run for run in _telling(study) if "plug_in_accuracy" in run.history]
    if not shown:
        return "Plug-in accuracy was not measured on these students."
    parts = [f"**{run.label}** {', '.join(f'{run.last(column):.1%}' for column in PLUGGED)}" for run in shown]
    return f"Test accuracy at the last epoch with W_t as it is, relabelled, and with the own W_s: {'; '.join(parts)}."


def _telling(study: Study) -> list[Run]:
    """Normal training, and KD at the lowest, at T = 4 and at the highest temperature."""
    kd = [study.nearest(t) for t in (0.0, 4.0, study.hottest)]
    return list({run.label: run for run in (study.get("normal"), *kd) if run}.values())


# ---------------------------------------------------------------------------------------------------- CKA and collapse
@exhibit(
    "features-and-collapse",
    "CKA with the teacher and three measures of neural collapse over the epochs; the teacher's own behind.",
    step="student",
)
def collapse(study: Study) -> Exhibit:
    """One figure a student: CKA and neural collapse over epochs, the teacher's own and normal training's behind."""
    runs = study.students
    every = [*runs, *([study.teacher] if study.teacher else [])]
    values = {column: np.concatenate([column_of(run.history, column) for run in every]) for column in PANELS}
    values["nc1"] = np.log10(values["nc1"])  # an axis of powers of ten
    limits = {column: style.limits(found) for column, found in values.items()}  # one range for all steps
    return Exhibit({run.label: _collapse(study, run, limits) for run in runs}, collapse_sentence(study))


def _collapse(study: Study, run: Run, limits: Mapping[str, list[float]]) -> go.Figure:
    fig = style.grid(2, 2, list(PANELS.values()), 560, vertical_spacing=0.13, horizontal_spacing=0.13)
    drawn = (  # the student last
        ("teacher, its own training", study.teacher, {"color": style.TEACHER, "width": 1.5, "dash": "dash"}),
        ("normal training", study.get("normal"), BACK),
        ("this student", run, {"color": OWN, "width": 2.5}),
    )
    for place, column in enumerate(PANELS):
        where = {"row": place // 2 + 1, "col": place % 2 + 1}
        for name, one, look in drawn:
            if one is not None:
                trace = style.curve(one.history, column, name, look, legendgroup=name, showlegend=column == "nc1")
                fig.add_trace(trace, **where)
        fig.update_yaxes(range=limits[column], **where)
    fig.update_yaxes(type="log", dtick=1, row=1, col=2)
    fig.update_xaxes(title_text="epoch", row=2)
    return style.captioned(fig, study, run.label, _with_normal(study, run))


def collapse_sentence(study: Study) -> str:
    """CKA and NC1 at the last epoch: normal training's and the extremes over KD, the teacher's beside them."""
    shown = [run for run in _telling(study) if "cka" in run.history]
    if not shown:
        return "CKA was not measured on these students."
    columns = {"CKA": "cka", "NC1": "nc1", "NC2": "nc2", "NC3": "nc3"}
    parts = [
        f"**{run.label}** " + ", ".join(f"{n} {run.last(column):.3g}" for n, column in columns.items()) for run in shown
    ]
    text = f"At the last epoch: {'; '.join(parts)}."
    if not study.teacher:
        return text
    own = ", ".join(f"{name} {study.teacher.last(c):.3g}" for name, c in columns.items() if c != "cka")
    return f"{text} The teacher itself ended at {own}."
