"""The paper's correlation of mu and the loss: the points that one r is made of."""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import correlations, words
from kdnb.analysis.correlations import PAPERS, PHASES, READINGS
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run
from kdnb.runs.store import column_of


@exhibit(
    "mu-against-loss-{of}",
    "Raw mu against the training loss of KD and of normal training, a point an epoch, coloured by the epoch.",
)
def scatter(study: Study) -> Exhibit:
    """Raw mu against the loss of KD at T = 4 and of normal training, a point an epoch after the warm-up."""
    shown = study.leading_pair
    fig = style.grid(1, len(shown), [_title(study, run) for run in shown], 420, horizontal_spacing=0.16)
    for col, run in enumerate(shown, start=1):
        fig.add_trace(_points(study, run, col == len(shown)), 1, col)
    fig.update_xaxes(title_text="training loss")
    fig.update_yaxes(title_text="μ raw", col=1)
    return Exhibit(style.captioned(fig, study, style.window(study), shown), answer=sentence(study), of=study.name)


def _title(study: Study, run: Run) -> str:
    return f"{run.label}, r = {words.number(correlations.r_after(run, study.warm_up), '{:.3f}')}"


def _points(study: Study, run: Run, bar: bool) -> go.Scatter:
    table = run.after(study.warm_up)
    marker = {"color": table["epoch"].tolist(), "colorscale": "Viridis", "size": 6, "showscale": bar}
    marker["colorbar"] = {"title": {"text": "epoch"}, "thickness": 12, "outlinewidth": 0}
    hover = "epoch %{marker.color}<br>loss %{x:.4g}, μ %{y:.4g}<extra></extra>"
    x, y = style.significant(table["loss"]), style.significant(column_of(table, "mu_raw"))
    look = {"mode": "markers", "marker": marker, "name": run.label, "showlegend": False}
    return go.Scatter(x=x, y=y, hovertemplate=hover, **look)


def sentence(study: Study) -> str:
    """Whether one r is made of the steps of the learning rate: what is left of it within phases."""
    run = study.leading
    curves = correlations.of_run(run, study.warm_up)
    r, inside = (READINGS[name](curves) for name in (PAPERS, PHASES))
    if not np.isfinite(r):
        return f"**What r is made of cannot be told: {run.label} has no r here.**"
    of = f"r = {words.number(r, '{:.2f}')} ({run.label}, seed {run.spec.init_seed})"
    if not np.isfinite(inside):
        return f"**It cannot be told of {of}: no phase of one learning rate has epochs enough for an r of its own.**"
    so = "Mostly" if abs(inside) < abs(r) / 2 else "More than"
    left = words.number(inside, "{:.2f}")
    return f"**{so} steps of the learning rate: of {of} {left} is left within phases of one rate.**"
