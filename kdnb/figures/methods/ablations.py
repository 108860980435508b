"""One thing varied at a time: alpha, temperatures beyond 10, the schedule, T squared."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import variations, words
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.students import HOTTEST
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

FORMS = {"accuracy": ".2%"}  # how a hover writes a number, where not in four digits
PANELS = {"mu": "final raw μ", "r": "r (μ, loss)", "accuracy": "test accuracy"}
BLUE, ORANGE = style.TEACHER, style.NORMAL


# ------------------------------------------------------------------------------------------------------------- drawing
@exhibit(
    "alpha-{of}", "Final raw mu, r and test accuracy against alpha for KD at T = 4 and for MSE, a dot for each seed."
)
def alpha(varied: variations.Varied) -> Exhibit:
    """What the weight of distillation does."""
    colors = {run.label: str(style.line(run, HOTTEST)["color"]) for run in varied.runs}
    return Exhibit(_figure(varied, colors), ends_sentence(varied), of=varied.study.folder.name)


@exhibit(
    "high-temperature-{of}", "Final raw mu, r and test accuracy against T up to 50, with MSE at the end of the axis."
)
def high_temperature(varied: variations.Varied) -> Exhibit:
    """Towards MSE, which a high temperature is to become."""
    return Exhibit(_figure(varied, {"KD": BLUE, "MSE": style.MSE}), mse_sentence(varied), of=varied.study.folder.name)


@exhibit(
    "schedule-{of}",
    "Final raw mu, r and test accuracy of normal training and KD under two schedules of the learning rate.",
)
def schedule(varied: variations.Varied) -> Exhibit:
    """The paper's two statements of the schedule."""
    return Exhibit(_figure(varied, _two(varied)), both_sentence(varied), of=varied.study.folder.name)


@exhibit("t-squared-{of}", "Final raw mu, r and test accuracy of KD by T, with the factor T squared and without it.")
def t_squared(varied: variations.Varied) -> Exhibit:
    """The paper's two readings of KD's loss."""
    return Exhibit(_figure(varied, _two(varied)), both_sentence(varied), of=varied.study.folder.name)


def _two(varied: variations.Varied) -> dict[str, str]:
    """The colours of two lines."""
    return dict(zip(varied.lines, (BLUE, ORANGE), strict=True))


def _figure(varied: variations.Varied, colors: Mapping[str, str]) -> go.Figure:
    """Final raw mu, r and test accuracy: a line through the means over seeds, a dot a seed.

    In the first panel, dotted: the same with mu to the bystander.
    """
    fig = style.grid(3, 1, height=680, shared_xaxes=True, vertical_spacing=0.06)
    for key, part in varied.table.groupby("line", sort=False):
        name, look = str(key), {"color": colors[str(key)]}
        for row, column in enumerate(PANELS, start=1):
            line, dots = intervals.course(_by_place(part, column), name, look, FORMS.get(column, ".4g"))
            fig.add_trace(line.update(showlegend=row == 1), row, 1)
            fig.add_trace(dots, row, 1)
        look |= {"dash": "dot", "symbol": "square-open"}
        beside, _ = intervals.course(_by_place(part, "bystander"), f"{name}, bystander", look)
        fig.add_trace(beside.update(legendgroup=name), 1, 1)
    for row, title in enumerate(PANELS.values(), start=1):
        fig.update_yaxes(title_text=title, row=row)
    fig.update_yaxes(tickformat=".1%", row=3)
    fig.update_xaxes(type="category", categoryorder="array", categoryarray=varied.places)
    fig.update_xaxes(title_text=varied.axis, row=3)
    return style.captioned(fig, varied.study, f"r: {style.window(varied.study)}", varied.runs)


def _by_place(part: pd.DataFrame, column: str) -> dict[str, list[float]]:
    return {str(place): list(values) for place, values in part.groupby("x", sort=False)[column]}


# ----------------------------------------------------------------------------------------------------------- sentences
def ends_sentence(varied: variations.Varied) -> str:
    """From the first to the last place of each line: mu, its control, r and accuracy."""
    parts = []
    for name, part in varied.table.groupby("line", sort=False):
        means = part.groupby("x", sort=False)[["mu", "bystander", "r", "accuracy"]].mean()
        if len(means) > 1:
            first, last = means.iloc[0], means.iloc[-1]
            parts.append(
                f"**{name}**, from {means.index[0]} to {means.index[-1]}: final raw μ {_from_to(first, last, 'mu')} "
                f"(to the bystander {_from_to(first, last, 'bystander')}), r {_from_to(first, last, 'r', '.2f')}, "
                f"accuracy {_from_to(first, last, 'accuracy', '.2%')}"
            )
    return f"{'; '.join(parts)}."


def _from_to(first: pd.Series, last: pd.Series, column: str, how: str = ".3g") -> str:
    shown = [format(one[column], how) if np.isfinite(one[column]) else "undefined" for one in (first, last)]
    return " → ".join(shown)


def mse_sentence(varied: variations.Varied) -> str:
    """How near KD comes to MSE as T grows, beside what seeds alone do to MSE."""
    means = varied.table.groupby(["line", "x"], sort=False)[list(PANELS)].mean()
    mse = varied.table[varied.table["line"] == "MSE"]
    if mse.empty:
        return "MSE was not trained here, so that there is nothing to approach."
    hot = [x for x in ("1", "10", "50") if ("KD", x) in means.index]
    gaps = {column: [abs(means[column]["KD", x] - mse[column].mean()) for x in hot] for column in PANELS}
    text = (
        f"At T = {style.joined(hot)} KD differs from MSE in final raw μ by {_listed(gaps['mu'], '.2g')}, in r by "
        f"{_listed(gaps['r'], '.2f')}, in accuracy by {_listed([100 * gap for gap in gaps['accuracy']], '.2f')} points"
    )
    if len(mse) < 2:
        return f"{text}. MSE has one seed here."
    spread = mse[list(PANELS)].std()
    return (
        f"{text}. MSE's own seeds have a standard deviation of {spread['mu']:.2g}, {spread['r']:.2f} and "
        f"{100 * spread['accuracy']:.2f} points."
    )


def _listed(numbers: Sequence[float], how: str) -> str:
    return style.joined([format(one, how) for one in numbers])


def both_sentence(varied: variations.Varied) -> str:
    """What the other reading changes, method by method: mu, r and its sign, accuracy."""
    means = varied.table.groupby(["line", "x"], sort=False)[list(PANELS)].mean()
    first, second = varied.lines
    one, other = means.loc[first], means.loc[second]
    share, points = other["mu"] / one["mu"] - 1, 100 * (other["accuracy"] - one["accuracy"])
    seeds = varied.table["seed"].nunique()
    text = (
        f"From *{first}* to *{second}*, over {len(one)} methods and {words.counted(seeds, 'seed')}: final raw μ "
        f"changes by {share.min():+.1%} to {share.max():+.1%}, accuracy by {points.min():+.2f} to {points.max():+.2f} "
        "points."
    )
    turn = (other["r"] - one["r"]).abs().dropna()
    if turn.empty:
        return f"{text} r is undefined here."
    most = str(turn.idxmax())
    signs = int((one["r"] * other["r"] < 0).sum())
    told = f"{one['r'].loc[most]:.2f} → {other['r'].loc[most]:.2f}"
    return f"{text} r changes most for **{most}** ({told}), and its sign turns in {signs} of {len(turn)}."


def absent(chosen: StudiesParameters, found: Mapping[str, variations.Varied], what: str) -> str:
    """Which studies have no runs of ``what``, or nothing to say."""
    names = [name for name in chosen.profiles if name not in found]
    return f"Not trained for {style.joined(f'`{name}`' for name in names)}: {what}." if names else ""
