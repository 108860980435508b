"""Squared mu taken apart, ||W_t||^2 + ||W_s||^2 - 2 <W_t, W_s>: what moves, norm or angle?"""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import alignment, words
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

LEVELS = {
    "squared": ("μ²", style.TEACHER, "solid"),
    "teacher": ("‖W<sub>t</sub>‖²", "#009e73", "dash"),
    "student": ("‖W<sub>s</sub>‖²", style.NORMAL, "solid"),
    "inner": ("−2⟨W<sub>t</sub>, W<sub>s</sub>⟩", style.DIST, "solid"),
}
MOVES = {
    "squared": LEVELS["squared"],
    "student": LEVELS["student"],
    "angle": LEVELS["inner"],
    "bystander": ("−2⟨W<sub>o</sub>, W<sub>s</sub>⟩ (bystander)", style.BYSTANDER, "dash"),
}


@exhibit(
    "norm-and-angle",
    "Squared mu of one student and its terms over all epochs, and below their change after the warm-up.",
    step="student",
)
def norm_and_angle(study: Study) -> Exhibit:
    """One figure a student: the terms over all epochs above, what moved after the warm-up below."""
    start = study.leading
    figures = {run.label: _step(study, run) for run in study.students}
    return Exhibit(figures, norm_share(study), sentence(study, start), start=start.label)


def _step(study: Study, run: Run) -> go.Figure:
    titles = ["μ² and its terms", f"their change since epoch {study.warm_up + 1}"]
    fig = style.grid(2, 1, titles, 620, vertical_spacing=0.16)
    for row, (looks, table) in enumerate(
        ((LEVELS, alignment.split(study, run)), (MOVES, alignment.moves(study, run))), start=1
    ):
        for column, (name, color, dash) in looks.items():
            look = {"color": color, "dash": dash, "width": 2}
            seen = row == 1 or column == "bystander"
            fig.add_trace(style.curve(table, column, name, look, legendgroup=column, showlegend=seen), row, 1)
    fig.update_xaxes(title_text="epoch", row=2)
    return style.captioned(fig, study, run.label, [run])


def sentence(study: Study, run: Run) -> str:
    """What moved mu of ``run`` after the warm-up: its norm, or its angle to the teacher."""
    if "mu_raw" not in run.history:
        return f"**{run.label} has no μ to take apart.**"
    if study.epochs - study.warm_up < 2:
        return "**What moves cannot be told: the warm-up leaves one epoch.**"
    end = alignment.moves(study, run).iloc[-1]
    if end[["student", "angle"]].isna().any():
        return f"**It cannot be told: ‖W<sub>s</sub>‖ of {run.label} was not recorded.**"
    grows = {1.0: "grows", 0.0: "stays", -1.0: "shrinks"}[float(np.sign(end["student"]))]
    so = f"It {grows}" if abs(end["student"]) >= abs(end["angle"]) else "It turns"
    beside = f"; the bystander's angle {amount(end['bystander'])}" if np.isfinite(end["bystander"]) else ""
    return (
        f"**{so}: from epoch {study.warm_up + 1} to {study.epochs} of {run.label}, seed {run.spec.init_seed}, μ² "
        f"changed by {amount(end['squared'])}: the norm by {amount(end['student'])}, the angle by "
        f"{amount(end['angle'])}{beside}.**"
    )


def norm_share(study: Study) -> str:
    """The norm's part of all that moved, over all seeds of the students."""
    ends = [alignment.moves(study, run).iloc[-1] for run in study.shown]
    sizes = [(abs(float(end["student"])), abs(float(end["angle"]))) for end in ends]
    known = [norm / (norm + angle) for norm, angle in sizes if norm + angle > 0]
    if not known:
        return ""
    return (
        f"Of all that moved (sizes of norm and angle together), the norm is {np.median(known):.0%} at the median over "
        f"{words.counted(len(known), 'student')}, {min(known):.0%} at least."
    )


def amount(change: float) -> str:
    """A change of mu^2, to read: its sign, three digits, no powers of ten below a million."""
    return words.number(float(f"{change:.3g}"), "{:+,g}")
