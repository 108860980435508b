"""Values of several runs by what they are: a point for the mean, its 95 % interval, and a dot a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, stats
from kdnb.analysis.selection import Study
from kdnb.figures import style

BARS = "rgba(128,128,128,0.8)"


def short(label: str) -> str:
    """A label on an axis: "T=4" for "KD T=4"."""
    return label.removeprefix("KD ")


def colors(study: Study) -> list[str]:
    """Of the labels of :func:`groups`: KD by temperature, others by method."""
    return [str(style.line(run, study.hottest)["color"]) for run in study.students]


def points(
    values: over_seeds.Values, name: str, what: str, look: Mapping[str, Any], *, independent: bool = True
) -> list[go.Scatter]:
    """Two traces: a dot a run, and the mean with its interval where there are three runs or more.

    look: ``color``, one or one a label, and ``symbol``. what: said with each value. independent: False where the values
    are not of separate runs, and so have no interval.
    """
    there = {short(label): np.array([*found.values()], float) for label, found in values.items() if found}
    dots = go.Scatter(
        x=[label for label, found in there.items() for _ in found],
        y=style.significant(np.concatenate([*there.values(), np.empty(0)])),
        marker={"size": 4, "color": BARS},
        hoverinfo="skip",
        showlegend=False,
    )
    means = np.array([found.mean() for found in there.values()])
    unknown = (np.nan, np.nan)
    ends = np.array([stats.mean_interval(found) if independent else unknown for found in there.values()]).reshape(-1, 2)
    up, down = style.significant(ends[:, 1] - means), style.significant(means - ends[:, 0])
    color = look["color"] if isinstance(look["color"], str) else BARS
    bars = {"type": "data", "array": up, "arrayminus": down, "color": color, "thickness": 1.5, "width": 3}
    mean = go.Scatter(
        x=list(there),
        y=style.significant(means),
        text=[_said(found, *end) for found, end in zip(there.values(), ends, strict=True)],
        error_y=bars if np.isfinite(ends).any() else None,
        marker={"size": 9, "line": {"width": 2 if "open" in str(look.get("symbol")) else 0}} | dict(look),
        hovertemplate=f"%{{x}}<br>{name}<br>{what} %{{text}}<extra></extra>",
    )
    return [trace.update(mode="markers", name=name, legendgroup=name) for trace in (dots, mean)]


def level(labels: Sequence[str], value: float, name: str, color: str, dash: str) -> go.Scatter:
    """A value that belongs to none of the labels, as a line across them."""
    look = {"color": color, "dash": dash, "width": 2}
    x, y = list(map(short, labels)), style.significant([value]) * len(labels)
    return go.Scatter(x=x, y=y, mode="lines", name=name, line=look, hovertemplate=f"{name}: %{{y}}<extra></extra>")


def axis(fig: go.Figure, labels: Sequence[str], **where: int) -> None:
    """The labels along x, in their order."""
    names = list(map(short, labels))
    fig.update_xaxes(
        type="category", categoryorder="array", categoryarray=names, range=[-0.6, len(names) - 0.4], **where
    )
    fig.update_xaxes(tickangle=-60, **where)


def _said(found: np.ndarray, low: float, high: float) -> str:
    interval = f"95 %: {low:.3g} to {high:.3g}, " if np.isfinite(low) else ""
    return f"{found.mean():.3g} ({interval}n = {len(found)})"


def told(differences: np.ndarray, unit: str = "") -> str:
    """A mean difference with its interval over runs, or without where there is one run."""
    if not len(differences):
        return "not known"
    low, high = stats.mean_interval(differences)
    text = f"{differences.mean():+.3g}{unit}"
    count = f"{len(differences)} seed{'s' * (len(differences) > 1)}"
    over = f"95 % interval {low:+.3g} to {high:+.3g}, {count}" if np.isfinite(low) else f"{count}, no interval"
    return f"{text} ({over})".replace("-", "−")
