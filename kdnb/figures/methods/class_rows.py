"""Rows of the classifier as templates: does a student hold the same classes to be alike as its teacher?

No features are compared, so nothing has to be aligned. Source of the view: Nayak et al. 2019 (zero-shot distillation).
"""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_rows, words
from kdnb.analysis.by_method import groups, has_mu
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "class-likeness",
    "Rank correlation of class cosines of students with the teacher and with the bystander, by method.",
    step="study",
)
def likeness(studies: Mapping[str, Study]) -> Exhibit:
    """Agreement of the classes' likenesses with the teacher's and with the bystander's, by study."""
    tables = {name: class_rows.agreements(study) for name, study in studies.items()}
    figures = {name: _figure(study, tables[name]) for name, study in studies.items()}
    said = "; ".join(nearer(name, tables[name], class_rows.between_teachers(study)) for name, study in studies.items())
    return Exhibit(figures, "", f"**{said[:1].upper()}{said[1:]}.**")


def _figure(study: Study, table: pd.DataFrame) -> go.Figure:
    """Filled with the teacher, hollow with the bystander; across: the two teachers."""
    fig = style.grid(1, 1, height=460)
    for side, color, symbol in (("bystander", style.BYSTANDER, "circle-open"), ("teacher", style.TEACHER, "circle")):
        labels = [words.typeset(label) for label in table["label"]]
        trace = go.Scatter(x=labels, y=style.significant(table[side]), name=f"with the {side}")
        trace.update(mode="markers", marker={"color": color, "symbol": symbol, "size": 9}, customdata=table["seed"])
        fig.add_trace(trace.update(hovertemplate=f"%{{x}}, seed %{{customdata}}<br>{side}: %{{y:.3f}}<extra></extra>"))
    if (level := class_rows.between_teachers(study)) is not None:
        fig.add_hline(level, line={"color": style.QUIET, "width": 2, "dash": "dash"})
    fig.update_yaxes(title_text="rank correlation of class cosines")
    fig.update_xaxes(type="category", tickangle=-60)
    drawn = [run for group in groups(study).values() for run in group if has_mu(run)]
    return style.captioned(fig, study, "last epoch; dashed: the teacher with the bystander", drawn)


def nearer(name: str, table: pd.DataFrame, level: float | None) -> str:
    """How many methods of one study agree more with their teacher than with the bystander, in a clause."""
    means = table.groupby("label", sort=False)[["teacher", "bystander"]].mean().dropna()
    if means.empty:
        return f"it cannot be told on {name}, where the teachers' runs are not at hand"
    count, most = int((means["teacher"] > means["bystander"]).sum()), str(means["teacher"].idxmax())
    word = "yes" if count == len(means) else "mostly" if 2 * count > len(means) else "no"
    own, other = (words.number(means[side][most], "{:.2f}") for side in ("teacher", "bystander"))
    between = "" if level is None else f"; the two teachers with each other {words.number(level, '{:.2f}')}"
    return (
        f"{word} on {name} ({count} of {len(means)} methods agree more with their teacher; most {most}, {own} beside "
        f"{other}{between})"
    )
