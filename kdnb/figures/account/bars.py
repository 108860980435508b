"""The account of mu over the whole training: which loss term, decay or spread moved it."""

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts, words
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import SMALL_PART
from kdnb.figures import intervals, style
from kdnb.figures.alignment.terms import amount
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.measure.history import BYSTANDER

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


def cause_look(cause: str) -> tuple[str, str]:
    """What a cause is called in figures, and its colour."""
    return COLORS.get(cause, (cause, OTHERS))


@exhibit("mu-account", "What moved squared mu over the whole training: shares of the causes, a stacked bar a student.")
def account(study: Study) -> Exhibit:
    """Shares of the causes of all that moved mu^2, stacked, a bar a student; a diamond where they add up.

    Shares and not amounts: DIST's are a hundred times KD's.
    """
    labels = list(study.groups)
    causes = pd.DataFrame([accounts.mean_totals(accounts.accounted(study, label)) for label in labels], index=labels)
    shares = causes.div(causes.abs().sum(axis=1), axis=0)
    fig = style.grid(1, 1, height=460)
    fig.add_traces(stacked(shares.rename(index=intervals.short), 3, 8))
    fig.update_yaxes(title_text="share of all that moved μ²", **style.shares(".0%", ".1%"), range=[-1.03, 1.03])
    intervals.axis(fig, labels)
    fig.update_layout(barmode="relative", legend={"orientation": "h", "y": -0.28})
    drawn = style.captioned(fig, study, "whole training, mean over seeds", study.shown)
    return Exhibit(drawn, answer=sentence(study), brief=sentence(study, brief=True))


def stacked(table: pd.DataFrame, digits: int, diamond: int) -> list[go.Scatter | go.Bar]:
    """A bar a row of ``table``, a part of it a column (cause), and a diamond where the parts add up.

    digits: of the numbers; ``diamond``: its size.
    """
    labels = table.index.tolist()
    bars: list[go.Scatter | go.Bar] = []
    known = [cause for cause in COLORS if cause in table]
    for cause in known + [str(other) for other in table if other not in COLORS]:
        name, color = cause_look(cause)
        hover = f"%{{x}}<br>{name}: %{{y}}<extra></extra>"
        y = style.significant(table[cause], digits)
        bars.append(go.Bar(x=labels, y=y, name=name, marker_color=color, legendgroup=name, hovertemplate=hover))
    net = style.significant(table.sum(axis=1, min_count=1), digits)
    look = {"symbol": "diamond", "size": diamond, "color": "#ffffff", "line": {"color": "#1b1f24", "width": 1.5}}
    hover = "%{x}<br>sum: %{y}<extra></extra>"
    mark = go.Scatter(x=labels, y=net, name="sum", mode="markers", marker=look, legendgroup="sum", hovertemplate=hover)
    return [*bars, mark]


def sentence(study: Study, *, brief: bool = False) -> str:
    """What moved mu over the whole training, and whether it moved mu to the bystander as much.

    brief: the two greatest causes, without numbers
    """
    run = study.leading
    own, both = (accounts.accounted(study, run.label, side) for side in ("", BYSTANDER))
    teacher, bystander = accounts.mean_totals(own), accounts.mean_totals(both, BYSTANDER)
    if teacher.empty:
        return f"**It cannot be told: {run.label} was trained without an account of μ.**"
    most_first = teacher.sort_values(key=abs, ascending=False)
    moved = style.joined(f"{cause_look(str(cause))[0]} {amount(value)}" for cause, value in most_first.items())
    of = f"{run.label}, mean over {words.counted(len(own), 'seed')}"
    text = f"{moved}, together {amount(teacher.sum())} ({of})"
    if not bystander.empty:
        same = accounts.mean_totals(both)
        apart = float((same - bystander).abs().sum() / same.abs().sum())
        alike = "much the same" if apart <= SMALL_PART else "not the same"
        ends = f"{amount(bystander.sum())}, the causes differ by {apart:.0%} of all movement"
        fewer = f" (n\u00a0=\u00a0{len(both)})" if len(both) < len(own) else ""
        if brief:
            most = [f"{cause_look(str(cause))[0]} ({'+' if by > 0 else '−'})" for cause, by in most_first.items()]
            return words.sentence(f"{style.joined(most[:2])}; μ to the bystander {alike} ({study.name}, {of})")
        text += f". To the bystander {alike}: {ends}{fewer}"
    return words.sentence(text)
