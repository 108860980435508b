"""Squared mu taken apart, ||W_t||^2 + ||W_s||^2 - 2 <W_t, W_s>: what moves, norm or angle?"""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import alignment, words
from kdnb.analysis.selection import Study
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
    return Exhibit({run.label: _step(study, run) for run in study.students}, sentence(study))


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


def sentence(study: Study) -> str:
    """What moved mu after the warm-up in KD and in normal training, and the norm's part of it over the students."""
    shown = [run for run in (study.nearest(4), study.get("normal")) if run and "mu_raw" in run.history]
    if not shown:
        return "None of these students has a μ to take apart."
    parts = []
    for run in shown:
        end = {term: amount(change) for term, change in alignment.moves(study, run).iloc[-1].dropna().items()}
        beside = f" (to the bystander {end['bystander']})" if "bystander" in end else ""
        parts.append(f"**{run.label}**: μ² {end['squared']} = norm {end['student']}, angle {end['angle']}{beside}")
    ends = [alignment.moves(study, run).iloc[-1] for run in study.students]
    sizes = [(abs(float(end["student"])), abs(float(end["angle"]))) for end in ends]
    known = [norm / (norm + angle) for norm, angle in sizes if norm + angle > 0]
    text = f"From epoch {study.warm_up + 1} to {study.epochs}: {'; '.join(parts)}."
    if not known:
        return text
    return (
        f"{text} Of all that moved (sizes of norm and angle together), the norm is {np.median(known):.0%} at the "
        f"median over {len(known)} students, {min(known):.0%} at least and {max(known):.0%} at most."
    )


def amount(change: float) -> str:
    """A change of mu^2, to read: its sign, three digits, no powers of ten below a million."""
    return words.number(float(f"{change:.3g}"), "{:+,g}")
