"""Chapter 13, stitching: teachers' classifiers behind students' features, as they are, relabelled, linearly mapped."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.figures import geometries, spread, style
from kdnb.figures.source import Study
from kdnb.figures.spread import Values
from kdnb.teacher import weights_checksum

HELP = {"raw": "features as they are", "matched": "relabelled", "linear": "through a linear map"}
RELATIONS = {
    "own": ("its teacher", style.TEACHER, "circle"),
    "alike": ("same model, other seed", style.BYSTANDER, "circle-open"),
    "other": ("another model", "#cc79a7", "diamond-open"),
}
COLUMNS = ["label", "seed", "kind", "relation", "accuracy", *HELP]


def table(study: Study) -> pd.DataFrame:
    """Rows of ``stitching.parquet`` (:mod:`kdnb.compare`) of the study's students and, as floors, of what was not
    learned: the columns COLUMNS; several teachers of one relation averaged. Empty where nothing was compared.
    """
    file = geometries.file(study, "stitching.parquet")
    if file is None:
        return pd.DataFrame(columns=COLUMNS)
    every, spec = pd.read_parquet(file), study.students[0].spec
    mine = every["weights"].isin({weights_checksum(run) for run in study.shown})
    # Of the floors those with the teachers' model that this study's students learned from.
    taught = every["teacher_model"] == (spec.teacher["model"] if spec.teacher else "")
    floors = (every["kind"] == "pixels") | ((every["kind"] == "untrained") & (every["model"] == spec.model))
    shown = every[mine | (floors & taught)]
    keys = ["label", "seed", "kind", "relation"]
    found: pd.DataFrame = shown.groupby(keys, as_index=False)[["accuracy", *HELP]].mean()
    return found[COLUMNS]


def values(study: Study, found: pd.DataFrame, relation: str, column: str) -> Values:
    """A column of :func:`table` for one relation, by label and seed, in the order of the study's students."""
    rows = found[(found["kind"] == "student") & (found["relation"] == relation)].dropna(subset=[column])
    return {
        label: dict(zip(part["seed"], part[column], strict=True))
        for label in spread.groups(study)
        if not (part := rows[rows["label"] == label]).empty
    }


def floors(found: pd.DataFrame) -> dict[str, Mapping[str, float]]:
    """Mean accuracy with each help of what was not learned, by kind: pixels, untrained."""
    rows = found[found["kind"] != "student"]
    return {str(kind): {name: float(part[name].mean()) for name in HELP} for kind, part in rows.groupby("kind")}


def figure(study: Study, found: pd.DataFrame) -> go.Figure:
    """Test accuracy of teachers' classifiers on each student's features, a panel a help; lines: untrained."""
    labels, level = list(spread.groups(study)), floors(found)
    named: set[str] = set()
    fig = style.grid(3, 1, list(HELP.values()), 760, shared_xaxes=True, vertical_spacing=0.06)
    for row, column in enumerate(HELP, 1):
        for relation, (name, color, symbol) in RELATIONS.items():
            shown = values(study, found, relation, column)
            for trace in spread.points(shown, name, "accuracy", {"color": color, "symbol": symbol}) if shown else []:
                fig.add_trace(trace.update(showlegend=trace.showlegend is not False and name not in named), row, 1)
            named |= {name} if shown else set()
        for kind, (name, color, dash) in geometries.FLOORS.items():
            if np.isfinite(value := level.get(kind, {}).get(column, np.nan)):
                line = spread.level(labels, value, name, color, dash)
                fig.add_trace(line.update(showlegend=row == 3, legendgroup=name), row, 1)
        top = 1.1 * float(found[column].max())  # an interval of few runs may reach below 0: an accuracy does not
        fig.update_yaxes(range=[0, top], tickformat=".0%" if top > 0.1 else ".1%", row=row)
    spread.axis(fig, labels)
    fig.update_layout(legend={"orientation": "h", "y": -0.14})
    return style.captioned(fig, study, "test accuracy of a teacher's classifier", study.shown)


def sentence(study: Study, found: pd.DataFrame) -> str:
    """Does it single out the own teacher, and how much of it needs no training?"""
    if found.empty:
        return geometries.how_to(study)
    parts = []
    for column, name in HELP.items():
        own, other = (_mean(values(study, found, relation, column)) for relation in ("own", "alike"))
        if np.isfinite(own) and np.isfinite(other):
            parts.append(f"{name}: {own:.1%} with its teacher's classifier, {other:.1%} with another seed's")
    gap = _gap(study, found)
    level = [f"{geometries.FLOORS[kind][0]} {by['linear']:.1%}" for kind, by in floors(found).items()]
    return (
        f"Mean over the {len(study.shown)} students shown (their own classifiers: {_accuracy(study, found):.1%}); "
        f"{'; '.join(parts)}. With a linear map the own teacher is ahead by {gap}. "
        f"The same map without any training: {style.joined(level)}."
    )


def _mean(shown: Values) -> float:
    every = [value for by_seed in shown.values() for value in by_seed.values()]
    return float(np.mean(every)) if every else np.nan


def _accuracy(study: Study, found: pd.DataFrame) -> float:
    return _mean(values(study, found, "own", "accuracy"))


def _gap(study: Study, found: pd.DataFrame) -> str:
    """Of the linear map: own teacher minus another of its model, a mean for each seed, so that the unit is the seed."""
    own, other = (values(study, found, relation, "linear") for relation in ("own", "alike"))
    pairs = {label: set(by_seed) & set(other.get(label, {})) for label, by_seed in own.items()}
    seeds = sorted(set().union(*pairs.values()))
    means = [
        np.mean([own[label][seed] - other[label][seed] for label, there in pairs.items() if seed in there])
        for seed in seeds
    ]
    return spread.told(np.array(means) * 100, " percentage points")
