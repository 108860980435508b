"""Rows of the classifier as templates: does a student hold the same classes to be alike as its teacher?

No features are compared, so nothing has to be aligned. Source of the view: Nayak et al. 2019 (zero-shot distillation).
"""

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_rows
from kdnb.analysis.by_method import groups, has_mu
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "class-likeness-{of}",
    "Rank correlation of class cosines of students with the teacher and with the bystander, by method.",
)
def likeness(study: Study) -> Exhibit:
    """Agreement of classes: filled with the teacher, hollow with the bystander; across: the two teachers."""
    table = class_rows.agreements(study)
    fig = style.grid(1, 1, height=460)
    for side, color, symbol in (("bystander", style.BYSTANDER, "circle-open"), ("teacher", style.TEACHER, "circle")):
        trace = go.Scatter(x=table["label"].tolist(), y=style.significant(table[side]), name=f"with the {side}")
        trace.update(mode="markers", marker={"color": color, "symbol": symbol, "size": 9}, customdata=table["seed"])
        fig.add_trace(trace.update(hovertemplate=f"%{{x}}, seed %{{customdata}}<br>{side}: %{{y:.3f}}<extra></extra>"))
    if (level := class_rows.between_teachers(study)) is not None:
        fig.add_hline(level, line={"color": style.QUIET, "width": 2, "dash": "dash"})
    fig.update_yaxes(title_text="rank correlation of class cosines")
    fig.update_xaxes(type="category", tickangle=-60)
    drawn = [run for group in groups(study).values() for run in group if has_mu(run)]
    return Exhibit(
        style.captioned(fig, study, "last epoch; dashed: the teacher with the bystander", drawn),
        sentence(study, table),
        of=study.folder.name,
    )


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
    level = class_rows.between_teachers(study)
    return f"{text}." if level is None else f"{text}. The two teachers agree with each other at {level:.2f}."
