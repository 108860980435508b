"""What does reuse need? The design {what is matched} x {whose classifier}, and what is within reach."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import design, out_of_reach, stats, words
from kdnb.analysis.design import Cell
from kdnb.analysis.selection import Study
from kdnb.claims.thresholds import ACCURACY_MARGIN
from kdnb.figures import origin, style
from kdnb.figures.exhibit import Exhibit, exhibit

HEADS = {"own": "its own", "W_t": "W<sub>t</sub>", "W_o": "W<sub>o</sub>, the bystander's", "random": "random rows"}
SYMBOLS = {
    "frozen": "circle",
    "foreign": "circle-open",
    "random": "cross",
    "permuted": "square",
    "rotated": "diamond",
    "shuffled": "triangle-up",
    "simplex": "square-open",
}
ABLE = 0.01  # share of answers that may be out of reach
COLORS = (style.TEACHER, style.NORMAL, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


@exhibit(
    "design-{of}", "Test accuracy of every cell: a row for what is matched, a column for whose classifier answers."
)
def outcomes(study: Study) -> Exhibit:
    """The design's table, where more than two of its cells were trained, and what it answers."""
    return Exhibit(
        None, sentence(study), table=as_html(study) if design.is_trained(study) else "", of=study.folder.name
    )


def as_html(study: Study) -> str:
    """The design's accuracies, a row for what is matched, a column for whose classifier answers."""
    cells = design.table(design.cells(study.every)).rename(columns=HEADS)
    told = cells.reset_index(names="what is matched")
    return style.table(told, f"accuracies of the design on {study.name}", escape=False)


def sentence(study: Study) -> str:
    """Whether reuse needs the teacher's own classifier, any classifier, or the features, from the cells there are."""
    found = design.cells(study.every)
    own, theirs, others = (found.get(("answers", whose)) for whose in ("own", "W_t", "W_o"))
    if own is None or theirs is None or others is None:
        return f"On {study.name} the design was not trained."
    mine = _compared("the bystander's classifier instead of the teacher's", others.less(theirs))
    frozen = _compared("a frozen classifier of the teacher instead of its own", theirs.less(own))
    parts = [f"With answers distilled, {frozen}, and {mine}"]
    if (labels := found.get(("labels", "own"))) is not None:
        parts.append(_compared("learning from labels alone instead", labels.less(own)))
    if (straight := found.get(("maps", "W_t"))) is not None and (foreign := found.get(("maps", "W_o"))) is not None:
        kept = _compared("W_t on features that were matched straight, in place of KD,", straight.less(own))
        parts.append(f"{kept}; there another teacher's classifier is right on {foreign.mean:.0%}")
    return f"**{study.name}: {_answer(found)}** {'; '.join(parts)}."


def _answer(found: Mapping[tuple[str, str], Cell]) -> str:
    """The answer in a few words: it can turn out either way, and with few seeds it is that nothing is decided."""
    differences = found[("answers", "W_o")].less(found[("answers", "W_t")])
    low, high = stats.mean_interval(differences)
    if len(differences) < stats.LEAST_RUNS:
        return "too few seeds to say whose classifier it takes."
    if high < -ACCURACY_MARGIN:
        return "distilling answers needs the teacher's own classifier."
    if low > -ACCURACY_MARGIN:
        return "distilling answers does not need the teacher's own classifier; another's does as well."
    return "no difference is seen between the teacher's own classifier and another's, and none is excluded."


def _compared(what: str, differences: np.ndarray) -> str:
    """A mean difference in points, with its interval over seeds."""
    ends = stats.mean_interval(differences)
    mean, low, high = (words.number(100 * value, "{:+.2f}") for value in (float(np.mean(differences)), *ends))
    between = f"95 %: {low} to {high}" if np.isfinite(ends).all() else f"n = {len(differences)}"
    return f"{what} makes {mean} points ({between})"


# ------------------------------------------------------------------------------------------------ what is within reach


@exhibit(
    "reach",
    "Accuracy beside KD against the share of the teacher's answers out of reach, a mark a frozen student.",
)
def reach(found: pd.DataFrame, studies: Mapping[str, Study]) -> Exhibit:
    """What a frozen classifier costs beside KD against what it cannot say, a mark a student."""
    if found.empty:
        return Exhibit(says=reach_sentence(found))
    fig = style.grid(1, 1, height=520)
    for place, (name, part) in enumerate(found.groupby("study", sort=False)):
        widths = f"{part['features'].iloc[0]:.0f} features, {part['classes'].iloc[0]:.0f} classes"
        for method, marks in part.groupby("method", sort=False):
            text = [f"{method}, seed {row.seed}, {row.residual:.0%} of the logits" for row in marks.itertuples()]
            x, y = style.significant(marks["missed"]), style.significant(marks["points"])
            trace = go.Scatter(x=x, y=y, mode="markers", text=text, name=f"{name} ({widths})", legendgroup=name)
            hover = f"{name}: %{{text}}<br>answers missed %{{x:.1%}}<br>%{{y:+.2f}} points beside KD<extra></extra>"
            look = {
                "size": 10,
                "color": COLORS[place % len(COLORS)],
                "symbol": SYMBOLS.get(str(method), "diamond-open"),
            }
            first = method == part["method"].iloc[0]
            fig.add_trace(trace.update(marker=look, hovertemplate=hover, showlegend=bool(first)))
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(title_text="answers of the teacher out of reach", tickformat=".0%", range=[-0.04, None])
    fig.update_yaxes(title_text="accuracy less KD's (points)")
    fig.update_layout(legend={"orientation": "h", "y": -0.2}, margin_b=130)
    shown = [
        run for one in studies.values() for run in one.every if run.path.name in set(out_of_reach.marks(one)["name"])
    ]
    title = {"text": "frozen classifiers; a mark is a student, last epoch", "font": {"size": 13}}
    return Exhibit(origin.mark(fig, shown, None).update_layout(title=title), reach_sentence(found))


def reach_sentence(found: pd.DataFrame) -> str:
    """Whether the cost of a frozen classifier follows from what it can say, over all students with one."""
    if found.empty:
        return "Nothing was computed of what is within reach."
    able, unable = found[found["missed"] < ABLE], found[found["missed"] >= ABLE]
    text = f"The {len(able)} students whose classifier can say all but {ABLE:.0%} of the teacher's answers end "
    text += f"{_points(able)} beside KD"
    if unable.empty:
        return f"**{text}.**"
    order = stats.rank_correlation(found["missed"], found["points"])
    dearer = able["points"].mean() - unable["points"].mean() > 100 * ACCURACY_MARGIN
    so = "What it cannot say is what it costs." if dearer else "What it cannot say costs no more."
    text += f"; the {len(unable)} others, which miss {unable['missed'].mean():.0%} on average, {_points(unable)}. {so}"
    rank = f"Rank correlation of what is missed and the points, over all {len(found)}:"
    return f"**{text}** {rank} {words.number(order, '{:+.2f}')}."


def _points(part: pd.DataFrame) -> str:
    return words.number(part["points"].mean(), "{:+.2f} points")
