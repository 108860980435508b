"""What does reuse need? The design {what is learned} x {whose classifier}, and what is within reach."""

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import design, out_of_reach, stats, words
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import ACCURACY_MARGIN
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit

HEADS = {
    "own": "its own",
    "W_t": "W<sub>t</sub>",
    "W_o": "W<sub>o</sub>, the bystander's",
    "W_o matched": "W<sub>o</sub>, relabelled",
    "random": "random rows",
}
# What stands between W_o and W_t in the rows that ask for the teacher's own classifier.
REUSES = {"answers": "where answers are distilled", "maps": "where features are copied and both are relabelled"}
POINTS = "{:+z.2f}"
NEEDED: Mapping[design.Need, str] = {"yes": "needed", "no": "not needed"}
SYMBOLS = {
    "frozen": "circle",
    "foreign": "circle-open",
    "random": "cross",
    "permuted": "square",
    "rotated": "diamond",
    "shuffled": "triangle-up",
    "simplex": "square-open",
}
ABLE = 0.01  # share of images whose nearest logits may name another class


@exhibit("design", "Test accuracy of every cell: a row for what is learned, a column for whose classifier answers.")
def outcomes(studies: Mapping[str, Study]) -> Exhibit:
    """The design's table of each study where more than two of its cells were trained, and what it answers."""
    return Exhibit(None, "", sentence(studies), as_html(studies))


def as_html(studies: Mapping[str, Study]) -> str:
    """The design's accuracies, a table a study: a row for what is learned, a column for whose classifier answers."""
    tables = []
    for name, study in studies.items():
        if design.is_trained(study):
            cells = design.table(design.cells(study.every)).rename(columns=HEADS).reset_index(names=name)
            tables.append(style.table(cells, f"accuracies of the design on {name}", escape=False))
    return "".join(tables)


def sentence(studies: Mapping[str, Study]) -> str:
    """Whether reuse needs the teacher's own classifier, row by row and study by study, in one bold sentence."""
    rows = [f"{where}: {'; '.join(_needs(studies, row)) or 'no study is here'}" for row, where in REUSES.items()]
    told = ". ".join([rows[0], *map(words.capital, rows[1:])])
    return f"**W<sub>t</sub> itself (in points, W<sub>o</sub> less W<sub>t</sub>), {told}.**"


def _needs(studies: Mapping[str, Study], row: str) -> list[str]:
    parts = []
    for name, study in studies.items():
        apart = design.gap(design.cells(study.every), row)
        so = NEEDED.get(need(apart), need(apart))
        parts.append(f"{so} on {name}, {apart.told(POINTS)}" if apart.values else f"not tried on {name}")
    return parts


def need(apart: Estimate) -> design.Need:
    """Beyond the half point that the book's own statements allow as well."""
    return design.need(apart, 100 * ACCURACY_MARGIN)


# ------------------------------------------------------------------------------------------------ what is within reach


@exhibit(
    "reach",
    "Accuracy beside KD against the share of images whose nearest logits name another class, a mark a frozen student.",
)
def reach(found: pd.DataFrame, studies: Mapping[str, Study]) -> Exhibit:
    """What a frozen classifier costs beside KD against how far the teacher's logits are, a mark a student."""
    if found.empty:
        return Exhibit(answer=reach_sentence(found))
    fig = style.grid(1, 1, height=520)
    symbols = {str(method): SYMBOLS.get(str(method), "diamond-open") for method in found["method"].unique()}
    for (name, part), color in zip(found.groupby("study", sort=False), cycle(style.COLORWAY), strict=False):
        title = f"{name} ({part['features'].iloc[0]:.0f} features, {part['classes'].iloc[0]:.0f} classes)"
        hover = f"{name}: %{{text}}<br>class lost on %{{x}}<br>%{{y:+.2f}} points beside KD<extra></extra>"
        for method, marks in part.groupby("method", sort=False):
            text = [
                f"{method}, seed {row.seed}, {row.residual:.0%} of the logits not reached" for row in marks.itertuples()
            ]
            x, y = style.significant(marks["missed"]), style.significant(marks["points"])
            trace = go.Scatter(x=x, y=y, mode="markers", text=text, name=title, legendgroup=name)
            look = {"size": 10, "color": color, "symbol": symbols[str(method)]}
            fig.add_trace(trace.update(marker=look, hovertemplate=hover, showlegend=False))
        look = {"size": 10, "color": color}  # a colour without a symbol, for the legend
        fig.add_scatter(x=[None], y=[None], mode="markers", name=title, legendgroup=name, marker=look)
    for method, symbol in symbols.items():  # a symbol without a colour, for the legend
        look = {"size": 10, "color": style.OTHER, "symbol": symbol}
        fig.add_scatter(x=[None], y=[None], mode="markers", name=method, marker=look)
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(title_text="images whose nearest logits name another class", **style.shares(".0%", ".1%"))
    fig.update_xaxes(range=[-0.04, None])
    fig.update_yaxes(title_text="accuracy less KD's (points)")
    fig.update_layout(legend={"orientation": "h", "yanchor": "top", "x": 0, "y": -0.16}, margin_b=150)
    marked = set(zip(found["study"], found["name"], strict=True))
    shown = [run for name, one in studies.items() for run in one.every if (name, run.path.name) in marked]
    drawn = style.titled(fig, "frozen classifiers; a mark is a student, last epoch", shown)
    return Exhibit(drawn, left_out(studies), reach_sentence(found))


def left_out(studies: Mapping[str, Study]) -> str:
    """How many frozen students beside a KD of their seed have no mark, since their reach was not computed."""
    counts = {name: out_of_reach.uncomputed(study) for name, study in studies.items()}
    parts = [f"{words.counted(count, 'student')} of {name}" for name, count in counts.items() if count]
    return f"Not drawn, since their reach was not computed: {style.joined(parts)}." if parts else ""


def reach_sentence(found: pd.DataFrame) -> str:
    """Whether students end lower where less is within reach of their classifier: within each study, seed by seed."""
    if found.empty:
        return "**It cannot be told: what is within reach of these students, beside KD, was not computed.**"
    parts = [
        f"{SEEN[one.side] if len(one.values) >= stats.LEAST_RUNS else 'too few seeds'} on {name}, {one.told(POINTS)}"
        for name, one in out_of_reach.apart(found, ABLE).items()
    ]
    kept = f"who lose the teacher's class on at most {ABLE:.0%} of images"
    if not parts:
        return f"**There is nothing to compare: no study has both students {kept}, and others.**"
    return words.sentence(f"{'; '.join(parts)} (points by which students {kept} are above the others of their seed)")


SEEN = {1: "yes", 0: "not that it could be seen", -1: "no, lower"}
