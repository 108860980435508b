"""What does reuse need? The design {what is learned} x {whose classifier}, and whether every class can win."""

from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import design, out_of_reach, words
from kdnb.analysis.over_seeds import Estimate, estimate, more_than_chance
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
# The rows that ask for the teacher's own classifier: where, and what each answer is called there.
REUSES = {"answers": "where answers are distilled", "maps": "where features are copied"}
POINTS = "{:+z.2f}"
CALLED: Mapping[str, Mapping[str, str]] = {
    "answers": {"yes": "needed", "no": "not needed"},
    "maps": {"yes": "behind", "no": "not behind"},
}
BELONGS = "the classifier has to belong to them: through a linear map W<sub>o</sub> is"
SYMBOLS = {
    "frozen": "circle",
    "foreign": "circle-open",
    "random": "cross",
    "permuted": "square",
    "rotated": "diamond",
    "shuffled": "triangle-up",
    "simplex": "square-open",
}


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
    rows = [f"{where}{head(studies.values(), row)} {'; '.join(_needs(studies, row))}" for row, where in REUSES.items()]
    told = ". ".join([rows[0], *map(words.capital, rows[1:])])
    return f"**W<sub>t</sub> itself (in points, W<sub>o</sub> less W<sub>t</sub>), {told}.**"


def head(studies: Iterable[Study], row: str) -> str:
    """What stands between where W_t is asked for and the answers: of copied features that all ask for their own."""
    if row != "maps":
        return ":"
    gaps = [gap for study in studies if (gap := design.gap(study, row)).values]
    return f" {BELONGS}" if {need(gap) for gap in gaps} == {"yes"} else ", W<sub>o</sub> through a linear map:"


def called(row: str, apart: Estimate) -> str:
    """The answer as it is called in its row."""
    so = need(apart)
    return CALLED[row].get(so, so)


def _needs(studies: Mapping[str, Study], row: str) -> list[str]:
    gaps = {name: design.gap(study, row) for name, study in studies.items()}
    told = [f"{called(row, apart)} on {name}, {apart.told(POINTS)}" for name, apart in gaps.items() if apart.values]
    lacking = [name for name, apart in gaps.items() if not apart.values]
    how = "measured" if row == "maps" else "tried"
    return [*told, *([f"not {how} on {style.joined(lacking)}"] if lacking else [])] or ["no study is here"]


def need(apart: Estimate) -> design.Need:
    """Beyond the half point that the book's own statements allow as well."""
    return design.need(apart, 100 * ACCURACY_MARGIN)


# ----------------------------------------------------------------------------------------- whether every class can win


@exhibit(
    "reach",
    "Accuracy of students with a frozen classifier beside one of their own, a row a study; red: a class cannot win.",
)
def reach(found: pd.DataFrame, studies: Mapping[str, Study]) -> Exhibit:
    """What a frozen classifier costs beside one of its own, a mark a student: whether every class can win or not."""
    if found.empty:
        return Exhibit(answer=reach_sentence(found))
    found = found.assign(row=_rows(found)).sort_values(["classes", "features"], ascending=[True, False], kind="stable")
    rows, methods = ([str(one) for one in found[column].unique()] for column in ("row", "method"))
    symbols = {method: SYMBOLS.get(method, "diamond-open") for method in methods}
    fig = style.grid(1, 1, height=220 + 60 * len(rows))
    for (method, lost), marks in found.groupby(["method", found["unwinnable"] > 0], sort=False):
        aside = 0.7 * ((methods.index(str(method)) + 0.5) / len(methods) - 0.5)  # or methods would hide each other
        y = [rows.index(row) + aside for row in marks["row"]]
        told = [f"{row}<br>{method}, seed {seed}" for row, seed in zip(marks["row"], marks["seed"], strict=True)]
        trace = go.Scatter(x=style.significant(marks["points"]), y=y, text=told, mode="markers", showlegend=False)
        trace.customdata = marks[["unwinnable", "classes"]].to_numpy().tolist()
        hover = "%{customdata[0]} of %{customdata[1]} classes cannot win<br>%{x:+.2f} points<extra></extra>"
        look = {"size": 9, "color": style.NORMAL if lost else style.TEACHER, "symbol": symbols[str(method)]}
        fig.add_trace(trace.update(marker=look, hovertemplate=f"%{{text}}<br>{hover}"))
    for name, symbol in symbols.items():
        _legend(fig, name, style.OTHER, symbol)
    for name, color in (("every class can win", style.TEACHER), ("some cannot", style.NORMAL)):
        _legend(fig, name, color, "circle")
    fig.add_vline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(title_text="accuracy less that with a classifier of its own (points)")
    fig.update_yaxes(tickvals=list(range(len(rows))), ticktext=rows, range=[len(rows) - 0.4, -0.6])
    fig.update_layout(legend={"orientation": "h", "yanchor": "top", "x": 0, "y": -0.16}, margin={"b": 150, "l": 190})
    marked = set(zip(found["study"], found["name"], strict=True))
    shown = [run for name, one in studies.items() for run in one.every if (name, run.path.name) in marked]
    drawn = style.titled(fig, "frozen classifiers; a mark is a student, last epoch", shown)
    return Exhibit(drawn, left_out(studies), reach_sentence(found))


def _rows(found: pd.DataFrame) -> pd.Series:
    """What each student stands beside: its study, how wide it is, and what is learned there."""
    alone = found["answers"].map({True: "", False: ",<br>labels alone"})
    return found["study"] + ", " + found["features"].astype(str) + " features" + alone


def _legend(fig: go.Figure, name: str, color: str, symbol: str) -> None:
    look = {"size": 10, "color": color, "symbol": symbol}
    fig.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=look)


def left_out(studies: Mapping[str, Study]) -> str:
    """How many frozen students beside one of their seed have no mark, since their reach was not computed."""
    counts = {name: out_of_reach.uncomputed(study) for name, study in studies.items()}
    parts = [f"{words.counted(count, 'student')} of {name}" for name, count in counts.items() if count]
    return f"Not drawn, since their reach was not computed: {style.joined(parts)}." if parts else ""


def reach_sentence(found: pd.DataFrame) -> str:
    """What students lose where a class cannot win and where all can, by the number of classes; then the predicted."""
    if found.empty:
        return "**It cannot be told: which classes these students' classifiers let win was not computed.**"
    parts = [
        f"On {style.joined(part['study'].unique())} {_lost(part)}" for _, part in found.groupby("classes", sort=False)
    ]
    if not (beforehand := out_of_reach.predicted(found)).empty:
        parts.append(f"Of those whose classifiers were judged before they were trained {_lost(beforehand)}")
    return f"**{'. '.join(parts)}.**"


def _lost(part: pd.DataFrame) -> str:
    """How many students have a class that cannot win, and the points that they and the others lose."""
    cannot, loss = part["unwinnable"] > 0, -part["points"]
    barely = ~cannot & (part["margin"] < 1)
    of = words.counted(len(part), "student")
    if not cannot.any():
        return f"every class can win for all {of}; {_all_the_same(part)}"
    low, high = (words.number(end, "{:.1f}") for end in (loss[cannot].min(), loss[cannot].max()))
    middle = words.number(loss[cannot].median(), "{:.1f}")
    told = f"a class cannot win for {sum(cannot)} of {of}: they lose {low} to {high} points, {middle} at the median"
    if barely.any():
        most, by = words.number(loss[barely].max(), "{:.1f}"), words.number(part["margin"][barely].max(), "{:.2g}")
        told += f"; where one wins by {by} logits at most ({words.counted(sum(barely), 'student')}) up to {most}"
    rest = loss[~cannot & ~barely]
    return told + (f"; the others {words.number(rest.max(), '{:.1f}')} at most" if len(rest) else "")


def _all_the_same(part: pd.DataFrame) -> str:
    """Whose interval lies below zero, from the lowest on, where that is more than chance explains."""
    alone = part["answers"].map({True: "", False: " with labels alone"})
    on = "" if part["study"].nunique() == 1 else " on " + part["study"]
    found = {str(name): estimate(points) for name, points in part.groupby(part["method"] + alone + on)["points"]}
    if not more_than_chance(found.values(), -1):
        return "none is seen to cost"
    below = sorted((one.mean, name) for name, one in found.items() if one.side < 0)
    told = [f"{name} ({words.number(mean, POINTS)})" for mean, name in below]
    return f"all the same it costs to be {style.joined(told)}"
