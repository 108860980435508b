"""Values of several runs by what they are: a point for the mean, its 95% interval, and a dot a run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import over_seeds
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.study import Study
from kdnb.figures import style

BARS = "rgba(128,128,128,0.8)"


def short(label: str) -> str:
    """A label on an axis: "T=4" for "KD T=4"."""
    return label.removeprefix("KD ")


def colors(study: Study) -> list[str]:
    """Of the labels of the study's `groups`: KD by temperature, others by method."""
    return [str(style.line(run, study.hottest)["color"]) for run in study.first_of_each]


def said(found: Estimate, form: str = "{:.3g}") -> str:
    """The mean, its interval where there is one, and of how many runs."""
    return found.told(form, "95%: ")


in_percent = partial(said, form="{:.2%}")


def off_zero(found: Mapping[str, Estimate], what: str = "") -> str:
    """:func:`kdnb.analysis.over_seeds.off_zero`, and whose intervals lie above zero and whose below."""
    ends = {where: [k for k, one in found.items() if one.side == side] for where, side in (("above", 1), ("below", -1))}
    named = [f"{where} it {style.joined(labels)}" for where, labels in ends.items() if labels]
    return over_seeds.off_zero(found.values(), what, named=f" ({'; '.join(named)})" if named else "")


def points(
    found: Mapping[str, Estimate],
    name: str,
    what: str,
    look: Mapping[str, Any],
    say: Callable[[Estimate], str] = said,
) -> list[go.Scatter]:
    """Two traces: a dot a run, and the mean with its interval where there is one.

    look: ``color``, one or one a label, and ``symbol``. what: said with each value. say: the mean in words.
    """
    there = {short(label): estimate for label, estimate in found.items() if estimate.values}
    color = look["color"] if isinstance(look["color"], str) else BARS
    dots = go.Scatter(
        x=[label for label, estimate in there.items() for _ in estimate.values],
        y=style.significant([value for estimate in there.values() for value in estimate.values]),
        marker={"size": 5, "color": color, "symbol": look.get("symbol", "circle"), "opacity": 0.6},
        hovertemplate=f"%{{x}}, one run<br>{name}<br>{what} %{{y}}<extra></extra>",
        showlegend=False,
    )
    mean, low, high = (np.array([getattr(one, end) for one in there.values()]) for end in ("mean", "low", "high"))
    up, down = style.significant(high - mean), style.significant(mean - low)
    bars = {"type": "data", "array": up, "arrayminus": down, "color": color, "thickness": 1.5, "width": 3}
    hollow = "open" in str(look.get("symbol"))
    means = go.Scatter(
        x=list(there),
        y=style.significant(mean),
        text=[say(estimate) for estimate in there.values()],
        error_y=bars if np.isfinite(low).any() else None,
        marker={"size": 9, "line": {"width": 2 if hollow else 0}} | dict(look),
        hovertemplate=f"%{{x}}<br>{name}<br>{what} %{{text}}<extra></extra>",
    )
    return [trace.update(mode="markers", name=name, legendgroup=name) for trace in (dots, means)]


def turned(traces: Iterable[go.Scatter], heights: Mapping[str, float]) -> list[go.Scatter]:
    """Traces of :func:`points` with their labels along y, at ``heights``."""
    made = []
    for trace in traces:
        names, values, hover = trace.x, trace.y, trace.hovertemplate
        bars = trace.error_y.to_plotly_json()
        trace.update(x=values, y=[heights[name] for name in names], error_y=None, error_x=bars or None)
        told = trace.text or [None] * len(names)
        trace.update(customdata=[[name, text] for name, text in zip(names, told, strict=True)])
        hover = hover.replace("%{x}", "%{customdata[0]}").replace("%{text}", "%{customdata[1]}").replace("%{y}", "%{x}")
        made.append(trace.update(hovertemplate=hover))
    return made


def rows(found: Mapping[str, Estimate], name: str, symbol: str) -> go.Figure:
    """Differences in points: a row a label from the top, a dot a run, their mean with its interval, zero marked."""
    heights = {short(label): place for place, label in enumerate(found)}
    fig = style.grid(1, 1, height=140 + 26 * len(found))
    fig.add_traces(turned(points(found, name, "points", {"color": style.TEACHER, "symbol": symbol}), heights))
    fig.add_vline(0, line={"color": style.QUIET, "width": 2})
    fig.update_yaxes(tickvals=list(heights.values()), ticktext=list(heights), range=[len(found) - 0.4, -0.6])
    return fig.update_layout(showlegend=False)


def course(
    read: Mapping[Any, Sequence[float]],
    name: str,
    look: Mapping[str, Any],
    mean: Callable[[Sequence[float]], float] = np.mean,
    dotted: Mapping[Any, Sequence[float]] | None = None,
) -> list[go.Scatter]:
    """Two traces: a line through the means over runs, and a dot a run, against what ``read`` goes by.

    look: ``color``, ``dash``, ``symbol``. mean: of correlations on Fisher's scale. dotted: where dots are of more runs.
    """
    dotted = read if dotted is None else dotted
    color = {"color": look["color"]}
    marker = {"size": 9, "symbol": look.get("symbol", "circle"), "line": {"width": 2}} | color
    means = go.Scatter(x=list(read), y=style.significant([mean(values) for values in read.values()]), marker=marker)
    means.update(mode="lines+markers", line={"width": 2, "dash": look.get("dash", "solid")} | color)
    means.update(hovertemplate=f"%{{x}}<br>{name}: %{{y}} (mean)<extra></extra>")
    dots = go.Scatter(
        x=[place for place, values in dotted.items() for _ in values],
        y=style.significant([value for values in dotted.values() for value in values]),
        marker={"size": 5, "opacity": 0.6} | color,
        hovertemplate=f"%{{x}}, one run<br>{name}: %{{y}}<extra></extra>",
    )
    dots.update(name=f"{name}, each run", mode="markers", showlegend=False)
    return [trace.update(legendgroup=name) for trace in (means.update(name=name), dots)]


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
