"""R of mu and the loss as a function of the warm-up that is left out, with intervals over seeds."""

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.colors import hex_to_rgb

from kdnb.analysis import r_over_seeds, words
from kdnb.analysis.correlations import SIDES
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.r_over_seeds import BYSTANDER, TEACHER, Measured, by_label
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.statistics.over_seeds import LOOKS, told
from kdnb.runs import Run


@exhibit(
    "seeds-cuts",
    "r of mu and loss against the warm-up for one student, teacher and bystander, with intervals; KD's means behind.",
    step="student",
)
def against_warm_up(found: Sequence[Measured], every: Sequence[r_over_seeds.Curves]) -> Exhibit:
    """One figure a study and student; ``every``: the :func:`curves` of each study."""
    figures: dict[str, go.Figure] = {}
    for one, own in zip(found, every, strict=True):
        behind = [_behind(one.study, run, own[run.label][TEACHER]) for run in one.study.kd.values() if run.label in own]
        figures |= {f"{label}, {one.name}": _figure(one, label, shown, behind) for label, shown in own.items()}
    return Exhibit(figures, **told(found, sentence, every), start=start(found, figures))


def start(found: Sequence[Measured], labels: Collection[str]) -> str | None:
    """Which of ``labels`` is shown at first: KD at T = 4, or the nearest, of the first study that has it."""
    wanted = [f"{run.label}, {one.name}" for one in found if (run := one.study.nearest(4))]
    return next((label for label in wanted if label in labels), None)


def _behind(study: Study, run: Run, shown: Sequence[Estimate]) -> go.Scatter:
    """The mean of one temperature, thin, behind the student in front."""
    x, y = r_over_seeds.cuts(study), style.significant([found.mean for found in shown])
    hover = f"{run.label}<br>without %{{x}} epochs: %{{y:.3f}}<extra></extra>"
    look = style.line(run, study.hottest, 1)
    return go.Scatter(x=x, y=y, name=run.label, mode="lines", line=look, showlegend=False, hovertemplate=hover)


def _figure(
    one: Measured, label: str, shown: Mapping[str, Sequence[Estimate]], behind: Sequence[go.Scatter]
) -> go.Figure:
    fig = style.grid(1, 1, height=460).add_traces(behind)
    for side in (BYSTANDER, TEACHER):
        low, mean, high = ([getattr(found, end) for found in shown[side]] for end in ("low", "mean", "high"))
        fig.add_traces(band(r_over_seeds.cuts(one.study), low, mean, high, SIDES[side], LOOKS[side]["color"]))
    groups = by_label(one.study)
    thin = [run for run in one.study.kd.values() if behind and run.label != label]
    runs = [*groups[label], *(one for run in thin for one in groups.get(run.label, ()))]
    return framed(fig, one, f"{label}; 95% over seeds; thin: other T", runs)


def band(x: Sequence[int], low: ArrayLike, mid: ArrayLike, high: ArrayLike, name: str, color: str) -> list[go.Scatter]:
    """A line between two thin ones, the space between them tinted."""
    edge = {"x": x, "mode": "lines", "line": {"color": color, "width": 0.7}, "showlegend": False, "hoverinfo": "skip"}
    red, green, blue = hex_to_rgb(color)
    tint = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.15)"}
    line = go.Scatter(x=x, y=style.significant(mid), name=name, mode="lines+markers", line={"color": color, "width": 3})
    return [
        go.Scatter(y=style.significant(low), name=f"{name}, lower end", **edge),
        go.Scatter(y=style.significant(high), name=f"{name}, upper end", **edge, **tint),
        line.update(hovertemplate=f"without %{{x}} epochs<br>{name}: %{{y:.3f}}<extra></extra>", marker={"size": 6}),
    ]


def framed(fig: go.Figure, one: Measured, what: str, runs: Sequence[Run]) -> go.Figure:
    """Axes of r against the cut, zero and the chapter's own warm-up marked, and the caption."""
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.add_vline(one.study.warm_up, line={"color": style.QUIET, "width": 1, "dash": "dot"})
    fig.update_yaxes(title_text="Pearson r of μ raw and loss", range=[-1.08, 1.08])
    fig.update_xaxes(title_text="epochs left out at the start", range=[0, one.study.epochs])
    return style.captioned(fig, one.study, what, runs)


def sentence(one: Measured, own: r_over_seeds.Curves) -> str:
    """Whose sign hangs on the cut, and what KD at T = 4 shows over it."""
    sides = {label: [r.side for r in own[label][TEACHER]] for label in one.enough}
    both = [label for label, found in sides.items() if {1, -1} <= set(found)]
    named = f" ({style.joined(both)})" if both else ""
    text = f"its sign, for {len(both)} of {words.counted(len(sides), 'student')} by a whole interval{named}."
    run = one.study.nearest(4)
    if run is None or run.label not in sides:
        return text
    shown = sides[run.label]
    where = {1: "above zero", -1: "below zero", 0: "on both sides of it"}
    parts = [f"{where[side]} at {shown.count(side)} of {len(shown)} cuts" for side in where if side in shown]
    return f"{text} The interval of {run.label} lies {style.joined(parts)}."
