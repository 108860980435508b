"""The account of mu over the whole training: which loss term, decay or spread moved it."""

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts, alignment, over_seeds, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
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
def account(study: Study, *others: Study) -> Exhibit:
    """Shares of the causes of all that moved mu^2, stacked, a bar a student; a diamond where they add up.

    others: of which the answer tells as well.

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
    every = (study, *others)
    return Exhibit(drawn, answer=sentence(*every), brief=sentence(*every, brief=True))


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


def sentence(*studies: Study, brief: bool = False) -> str:
    """What moved mu over the whole training, and whether it moved mu to the bystander alike, on each study.

    brief: the two greatest causes, without numbers
    """
    if brief:
        return words.sentence(style.together((_most(one), one.name) for one in studies))
    alike = style.together((so, one.name) for one in studies if (so := _alike(one)))
    return words.sentence("; ".join([*map(_moved, studies), *([alike] if alike else [])]))


def _causes(study: Study, side: str = "") -> pd.Series:
    """Change of mu^2 by cause, most first: the mean over the seeds of the student in front that have an account."""
    return accounts.mean_totals(accounts.accounted(study, study.leading.label, side), side).sort_values(
        key=abs, ascending=False
    )


def _most(study: Study) -> str:
    causes = _causes(study)
    if causes.empty:
        return "it cannot be told"
    most = [f"{cause_look(str(cause))[0]} ({'+' if by > 0 else '−'})" for cause, by in causes[:2].items()]
    return ", ".join([style.joined(most), *filter(None, [_alike(study)])])


def _moved(study: Study) -> str:
    causes, bystander = _causes(study), _causes(study, BYSTANDER)
    label = study.leading.label
    if causes.empty:
        return f"it cannot be told on {study.name}, where {label} was trained without an account of μ"
    most = style.joined(f"{cause_look(str(cause))[0]} {amount(value)}" for cause, value in causes[:2].items())
    both = f", to the bystander {amount(bystander.sum())}" if len(bystander) else ""
    seeds = words.counted(len(accounts.accounted(study, label)), "seed")
    return f"on {study.name} most {most}, all causes {amount(causes.sum())}{both} ({label}, mean over {seeds})"


def _turned(study: Study) -> dict[str, Estimate]:
    """By cause, its pull to the teacher less to the bystander as a cosine; without three seeds empty."""
    known, runs = alignment.lengths(study), accounts.accounted(study, study.leading.label, BYSTANDER)
    table = pd.DataFrame([accounts.turned(run, known) for run in runs])
    found = {str(cause): estimate(table[cause]) for cause in table}
    return {cause: one for cause, one in found.items() if one.enough}


def _alike(study: Study) -> str:
    """Whether causes pull to one of the two teachers more than to the other, by more intervals than chance explains."""
    found = _turned(study)
    apart = [cause_look(cause)[0] for cause, one in found.items() if one.side]
    if not found:
        return ""
    if apart and over_seeds.more_than_chance(found.values()):
        return f"to the bystander otherwise by {style.joined(apart)},"
    return "to the bystander alike as far as can be seen,"
