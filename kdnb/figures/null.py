"""Chapter 4, the mismatched-pair null: is mu closer to its own run's loss than to another seed's?"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb import stats
from kdnb.figures import style
from kdnb.figures.source import Study


def pairs(study: Study) -> pd.DataFrame:
    """r of mu and loss within runs and across seeds: columns label, kind ("same run", "other seed"), r.

    Empty when no two finished runs differ in the seed alone; without runs that have no r.
    """
    rows = []
    for label, group in study.by_seeds.items():
        tables = [style.after(run, study.warm_up) for run in group if "mu_raw" in run.history]
        if not tables:
            continue
        found = stats.mismatched_null([t["mu_raw"] for t in tables], [t["loss"] for t in tables])
        for kind, values in (("same run", found.matched), ("other seed", found.mismatched)):
            rows += [{"label": label, "kind": kind, "r": float(r)} for r in values if np.isfinite(r)]
    return pd.DataFrame(rows, columns=["label", "kind", "r"])


def figure(study: Study, table: pd.DataFrame) -> go.Figure:
    """``table`` of :func:`pairs`: is r with the run's own loss any higher than with another seed's?"""
    fig = style.grid(1, 1, height=420)
    for kind, color, symbol in (("other seed", style.OTHER, "circle-open"), ("same run", style.TEACHER, "circle")):
        part = table[table["kind"] == kind]
        marker = {"color": color, "symbol": symbol, "size": 9}
        trace = go.Scatter(
            x=part["label"].tolist(), y=style.significant(part["r"]), name=f"loss of {kind}", marker=marker
        )
        fig.add_trace(trace.update(mode="markers", hovertemplate=f"%{{x}}<br>{kind}: %{{y:.3f}}<extra></extra>"))
    fig.update_yaxes(title_text="Pearson r of μ raw and loss", range=[-1.08, 1.08])
    fig.update_xaxes(type="category", tickangle=-60)
    runs = [run for group in study.by_seeds.values() for run in group]
    return style.captioned(fig, study, style.window(study), runs)


def sentence(table: pd.DataFrame) -> str:
    """What the mismatched pairs say, or that there are none."""
    if table.empty:
        return (
            "The runs shown here have **one seed**, so this test cannot be made: train a second one "
            "(`seed = 1` in the notebook of the students) and run this chapter again."
        )
    same, other = (table.loc[table["kind"] == kind, "r"] for kind in ("same run", "other seed"))
    return (
        f"Over {len(same)} runs, the median r with the run's own loss is {same.median():.3f}; with the loss of another "
        f"seed ({len(other)} pairs) it is {other.median():.3f}. What the two have in common is the schedule's doing."
    )
