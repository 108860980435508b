"""Chapter 12: what does reuse need? The design {what is matched} x {whose classifier}, and what is within reach."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import design, representability, stats
from kdnb.analysis.design import Cell
from kdnb.analysis.selection import Study
from kdnb.claims.predicates import ACCURACY_MARGIN
from kdnb.figures import style

HEADS = {"own": "its own", "W_t": "W<sub>t</sub>", "W_o": "W<sub>o</sub>, the bystander's", "random": "random rows"}
SYMBOLS = {
    "frozen": "circle",
    "foreign": "circle-open",
    "random": "cross",
    "permuted": "square",
    "rotated": "diamond",
    "shuffled": "triangle-up",
    "simplex": "star",
}
COLORS = (style.TEACHER, style.NORMAL, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


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
        kept = _compared("W_t on features that were matched straight, beside KD", straight.less(own))
        parts.append(f"{kept}; there another teacher's classifier is right on {foreign.mean:.0%}")
    return f"**{study.name}: {_answer(found)}** {'; '.join(parts)}."


def _answer(found: Mapping[tuple[str, str], Cell]) -> str:
    """The answer in a few words: it can turn out either way, and with few seeds it is that nothing is decided."""
    theirs, others = found[("answers", "W_t")], found[("answers", "W_o")]
    any_will_do = _side(others.less(theirs))
    words = {
        "less": "distilling answers needs the teacher's own classifier.",
        "no less": "distilling answers does not need the teacher's own classifier; another's does as well.",
        "undecided": "no difference is seen between the teacher's own classifier and another's, and none is excluded.",
        "too few seeds": "too few seeds to say whose classifier it takes.",
    }
    return words[any_will_do]


def _side(differences: np.ndarray) -> str:
    """Whether a mean difference in accuracy is a loss beyond the margin, surely none, or not decided by its seeds."""
    if len(differences) < stats.LEAST_RUNS:
        return "too few seeds"
    low, high = stats.mean_interval(differences)
    return "less" if high < -ACCURACY_MARGIN else "no less" if low > -ACCURACY_MARGIN else "undecided"


def _compared(what: str, differences: np.ndarray) -> str:
    """A mean difference in points, with its interval over seeds."""
    low, high = stats.mean_interval(differences)
    between = f" (95 %: {100 * low:+.2f} to {100 * high:+.2f})" if np.isfinite(low) else f" (n = {len(differences)})"
    return f"{what} makes {100 * float(np.mean(differences)):+.2f} points{between}".replace("-", "−")


# ------------------------------------------------------------------------------------------------ what is within reach
def reached(studies: Mapping[str, Study]) -> pd.DataFrame:
    """A row a student with a frozen classifier: study, method, seed, residual, and points of accuracy beside KD."""
    tables = [_reached(study).assign(study=name) for name, study in studies.items() if study.comparison(FILE)]
    return pd.concat(tables) if tables else pd.DataFrame(columns=["study", "method", "seed", "residual", "points"])


FILE = representability.FILE.split("/")[-1]


def _reached(study: Study) -> pd.DataFrame:
    table = _table(study).set_index("name")
    level = design.cells(study.every).get(("answers", "own"), Cell({})).by_seed
    runs = [run for run in study.every if run.path.name in table.index and run.spec.init_seed in level]
    runs = [run for run in runs if run.spec.method_parameters["alpha"] > 0]
    rows = []
    for run in runs:
        points = 100 * (float(run.history["test_accuracy"].iloc[-1]) - level[run.spec.init_seed])
        row = table.loc[run.path.name]
        told = {"method": run.spec.method, "seed": run.spec.init_seed, "points": points}
        rows.append(told | {name: row[name] for name in ("residual", "agreement", "features", "classes")})
    return pd.DataFrame(rows)


def reach(found: pd.DataFrame, studies: Mapping[str, Study]) -> go.Figure:
    """Points of accuracy that a frozen classifier costs against the residual that it cannot avoid, a mark a student."""
    fig = style.grid(1, 1, height=470)
    for place, (name, part) in enumerate(found.groupby("study", sort=False)):
        widths = f"{part['features'].iloc[0]:.0f} features, {part['classes'].iloc[0]:.0f} classes"
        symbols = [SYMBOLS.get(method, "x") for method in part["method"]]
        text = [f"{method}, seed {seed}" for method, seed in zip(part["method"], part["seed"], strict=True)]
        trace = go.Scatter(
            x=style.significant(part["residual"]), y=style.significant(part["points"]), mode="markers", text=text
        )
        trace.update(marker={"size": 10, "color": COLORS[place % len(COLORS)], "symbol": symbols})
        hover = f"{name}: %{{text}}<br>residual %{{x:.3f}}<br>%{{y:+.2f}} points beside KD<extra></extra>"
        fig.add_trace(trace.update(name=f"{name} ({widths})", hovertemplate=hover))
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(title_text="part of the teacher's logits out of reach", rangemode="tozero")
    fig.update_yaxes(title_text="accuracy less KD's (points)")
    fig.update_layout(legend={"orientation": "h", "y": -0.2}, margin_b=110)
    study = next(iter(studies.values()))
    shown = [run for one in studies.values() for run in one.every if run.path.name in set(_table(one)["name"])]
    return style.captioned(fig, study, "and others: frozen classifiers", shown)


def _table(study: Study) -> pd.DataFrame:
    place = study.comparison(FILE)
    return pd.read_parquet(place) if place else pd.DataFrame(columns=["name"])


def reach_sentence(found: pd.DataFrame) -> str:
    """Whether the cost of a frozen classifier follows from what it can represent, a clause a study."""
    parts = []
    for name, part in found.groupby("study", sort=False):
        within, beyond = part[part["residual"] < 0.01], part[part["residual"] >= 0.01]
        text = f"on **{name}** classifiers that reach the teacher's logits cost {-within['points'].mean():.2f} points"
        if len(beyond):
            r = beyond["residual"].mean()
            text += f", those that cannot (on average {r:.0%} is out of reach) {-beyond['points'].mean():.2f}"
        parts.append(text)
    return f"The price beside KD: {'; '.join(parts)}." if parts else "Nothing was computed of what is within reach."
