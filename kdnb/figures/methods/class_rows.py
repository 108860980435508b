"""Chapter 11, rows of the classifier as templates: does a student hold the same classes to be alike as its teacher?

No features are compared, so nothing has to be aligned. Source of the view: Nayak et al. 2019 (zero-shot distillation).
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import stats as scipy_stats

from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.methods.table import groups, has_mu
from kdnb.runs import Run


def class_cosines(weight: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows of a classifier (K x D), K(K-1)/2 of them. Source: Nayak et al. 2019."""
    rows = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    cosines: np.ndarray = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return cosines


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two classifiers' class cosines; widths may differ, since no features are compared."""
    return float(scipy_stats.spearmanr(class_cosines(one), class_cosines(other)).statistic)


def agreements(study: Study) -> pd.DataFrame:
    """A row a run with a mu: label, seed, agreement with its teacher's classes and with the bystander's."""
    sides = _sides(study)
    rows = [
        {"label": label, "seed": run.spec.init_seed}
        | {name: agreement(last_weight(run), weight) for name, weight in sides.items()}
        for label, group in groups(study).items()
        for run in group
        if has_mu(run)
    ]
    return pd.DataFrame(rows, columns=["label", "seed", "teacher", "bystander"])


def _sides(study: Study) -> dict[str, np.ndarray]:
    """Last classifiers of teacher and bystander, as far as their runs are in the folder."""
    runs_there = {"teacher": study.teacher, "bystander": study.bystander}
    return {name: last_weight(run) for name, run in runs_there.items() if run is not None}


def last_weight(run: Run) -> np.ndarray:
    """The run's classifier after its last epoch, K x D."""
    weight: np.ndarray = run.trace()[0][-1]
    return weight


@exhibit(
    "class-likeness-{of}",
    "Rank correlation of class cosines of students with the teacher and with the bystander, by method.",
)
def likeness(study: Study, table: pd.DataFrame) -> Exhibit:
    """``table`` of :func:`agreements`: filled with the teacher, hollow with the bystander; across: the two teachers."""
    fig = style.grid(1, 1, height=460)
    for side, color, symbol in (("bystander", style.BYSTANDER, "circle-open"), ("teacher", style.TEACHER, "circle")):
        trace = go.Scatter(x=table["label"].tolist(), y=style.significant(table[side]), name=f"with the {side}")
        trace.update(mode="markers", marker={"color": color, "symbol": symbol, "size": 9}, customdata=table["seed"])
        fig.add_trace(trace.update(hovertemplate=f"%{{x}}, seed %{{customdata}}<br>{side}: %{{y:.3f}}<extra></extra>"))
    if (level := between_teachers(study)) is not None:
        fig.add_hline(level, line={"color": style.QUIET, "width": 2, "dash": "dash"})
    fig.update_yaxes(title_text="rank correlation of class cosines")
    fig.update_xaxes(type="category", tickangle=-60)
    drawn = [run for group in groups(study).values() for run in group if has_mu(run)]
    return Exhibit(
        style.captioned(fig, study, "last epoch; dashed: the teacher with the bystander", drawn),
        sentence(study, table),
        of=study.folder.name,
    )


def between_teachers(study: Study) -> float | None:
    """Agreement of the teacher with the bystander: two networks that share data and recipe alone."""
    sides = _sides(study)
    return agreement(sides["teacher"], sides["bystander"]) if len(sides) > 1 else None


def sentence(study: Study, table: pd.DataFrame) -> str:
    """How much of the agreement is about this teacher: beside that with the bystander, over the methods' means."""
    means = table.groupby("label", sort=False)[["teacher", "bystander"]].mean().dropna()
    if means.empty:
        return "The teachers' runs are not at hand here, so that there are no rows to compare with."
    own = dict(zip(means.index, means["teacher"], strict=True))
    most, least = max(own, key=own.__getitem__), min(own, key=own.__getitem__)
    nearer = int((means["teacher"] > means["bystander"]).sum())
    text = (
        f"With the teacher's classes **{most}** agrees most ({own[most]:.2f}) and **{least}** least "
        f"({own[least]:.2f}); {nearer} of {len(means)} methods agree more with their teacher "
        "than with the bystander"
    )
    level = between_teachers(study)
    return f"{text}." if level is None else f"{text}. The two teachers agree with each other at {level:.2f}."
