"""The account of mu: which loss term, decay or spread moved mu, to the teacher and to a bystander."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

COLORS = {
    "ce": ("cross-entropy", style.NORMAL),
    "kd": ("distillation (KD)", "#009e73"),
    "dist": ("distillation (DIST)", style.DIST),
    "mse": ("distillation (MSE)", style.MSE),
    "spring": ("spring to W<sub>t</sub>", "#8e4fb0"),
    "decay": ("weight decay", "#56b4e9"),
    "spread": ("spread ‖ΔW‖²", style.OTHER),
}
OTHERS = "#a0522d"  # of any other method's own term
SIDES = {"": "μ² to the teacher", "bystander_": "μ² to the bystander"}


def cause_look(cause: str) -> tuple[str, str]:
    """What a cause is called in figures, and its colour."""
    return COLORS.get(cause, (cause, OTHERS))


@exhibit(
    "mu-account",
    "Change of squared mu by cause for each run, stacked bars, to the teacher above and to the bystander below.",
)
def account(study: Study) -> Exhibit:
    """Change of mu^2 by cause, stacked, one bar a run, and its sum as a diamond: teacher above, bystander below.

    A menu chooses between the epochs after the warm-up and the whole training.
    """
    fig = style.grid(2, 1, list(SIDES.values()), 640, shared_xaxes=True, shared_yaxes="all", vertical_spacing=0.1)
    for row, side in enumerate(SIDES, start=1):
        for trace in _bars(study.students, side, study.warm_up):
            fig.add_trace(trace.update(showlegend=row == 1), row, 1)
    buttons = []
    for label, warm_up in {"after the warm-up": study.warm_up, "the whole training": 0}.items():
        y = [list(trace.y) for side in SIDES for trace in _bars(study.students, side, warm_up)]
        buttons.append({"label": label, "method": "restyle", "args": [{"y": y}]})
    fig.update_layout(barmode="relative", margin_t=110, updatemenus=[style.menu(buttons, 1.06)])
    fig.update_yaxes(title_text="change of μ²")
    fig.update_xaxes(type="category", tickangle=-60)
    return Exhibit(style.captioned(fig, study, f"warm-up: {study.warm_up} epochs"), sentence(study))


def stacked(table: pd.DataFrame, form: str, digits: int, diamond: int) -> list[go.Scatter | go.Bar]:
    """A bar a row of ``table``, a part of it a column (cause), and a diamond where the parts add up.

    form, digits: of the numbers; ``diamond``: its size.
    """
    labels = table.index.tolist()
    bars: list[go.Scatter | go.Bar] = []
    known = [cause for cause in COLORS if cause in table]
    for cause in known + [str(other) for other in table if other not in COLORS]:
        name, color = cause_look(cause)
        hover = f"%{{x}}<br>{name}: %{{y:{form}}}<extra></extra>"
        y = style.significant(table[cause], digits)
        bars.append(go.Bar(x=labels, y=y, name=name, marker_color=color, legendgroup=name, hovertemplate=hover))
    net = style.significant(table.sum(axis=1, min_count=1), digits)
    look = {"symbol": "diamond", "size": diamond, "color": "#ffffff", "line": {"color": "#1b1f24", "width": 1.5}}
    hover = f"%{{x}}<br>sum: %{{y:{form}}}<extra></extra>"
    mark = go.Scatter(x=labels, y=net, name="sum", mode="markers", marker=look, legendgroup="sum", hovertemplate=hover)
    return [*bars, mark]


def _bars(runs: Sequence[Run], side: str, warm_up: int) -> list[go.Scatter | go.Bar]:
    totals = [accounts.totals(run, side, warm_up) for run in runs]
    return stacked(pd.DataFrame(totals, index=[run.label for run in runs]), ".4g", style.DIGITS, 8)


def sentence(study: Study) -> str:
    """What moved mu over the whole training: pulls of teacher and bystander side by side; and that it balances."""
    run = study.nearest(4) or study.students[0]
    teacher, bystander = (accounts.totals(run, side, 0) for side in SIDES)
    if not teacher:
        return "These runs were made without an account of μ."
    moved = [f"{cause_look(cause)[0]} {value:+.3g}" for cause, value in teacher.items()]
    total = f"{sum(teacher.values()):+.3g}"
    text = f"Over the whole training of **{run.label}**, μ² changed by {total}: {style.joined(moved)}."
    if bystander:
        excess = sum(teacher.values()) - sum(bystander.values())
        text += (
            f" To the bystander μ² changed by {sum(bystander.values()):+.3g}; what only the teacher shows is the "
            f"difference, {excess:+.3g} (negative: nearer to the teacher)."
        )
    rest, *_ = accounts.imbalance(study.students, [""])
    return f"{text} The account balances: the largest remainder of any epoch is {rest:.0e} of μ² itself."
