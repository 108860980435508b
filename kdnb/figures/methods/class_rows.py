"""Rows of the classifier as templates, drawn: see :mod:`kdnb.analysis.class_rows`."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_rows, words
from kdnb.analysis.by_method import groups, has_mu, with_mu
from kdnb.analysis.over_seeds import off_zero
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "class-likeness",
    "Rank correlation of class cosines of students with the teacher and with the bystander, by method.",
    step="study",
)
def likeness(studies: Mapping[str, Study]) -> Exhibit:
    """Agreement of the classes' likenesses with the teacher's and with the bystander's, by study that has a mu."""
    tables = {name: class_rows.agreements(study) for name, study in studies.items()}
    figures = {name: _figure(study, tables[name]) for name, study in studies.items() if with_mu(study)}
    said = "; ".join(nearer(name, tables[name], class_rows.between_teachers(study)) for name, study in studies.items())
    return Exhibit(figures or None, "", words.sentence(said))


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
    """For how many methods of one study the teacher is agreed with beyond what normal training shows, in a clause."""
    found = {k: one for k, one in class_rows.beyond_normal(table).items() if one.enough}
    between = "" if level is None else f"; the two teachers agree with each other by {words.number(level, '{:.2f}')}"
    if not found:
        return f"it cannot be told on {name}, where no method has three seeds beside normal training"
    clear = [label for label, one in found.items() if one.side > 0]
    word = "yes" if len(clear) == len(found) else f"for {style.joined(clear)}" if clear else "not seen"
    most = max(found, key=lambda label: found[label].mean)
    return (
        f"{word} on {name}, beyond normal training by a whole interval for {off_zero(found.values(), 'method', 1)} "
        f"(most {most}, {found[most].told('{:+.2f}')}{between})"
    )
