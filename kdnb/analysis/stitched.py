"""What linear maps from students' features to teachers' classifiers gave, from files beside published runs."""

from collections.abc import Mapping

import pandas as pd

from kdnb.analysis import over_seeds
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.study import Study

HELP = {"raw": "features as they are", "matched": "matched", "linear": "through a linear map"}
COLUMNS = ["label", "seed", "kind", "relation", "accuracy", *HELP]


def table(study: Study) -> pd.DataFrame:
    """Rows of ``stitching.parquet`` of the study's students and, as floors, of what was not learned: columns COLUMNS.

    Several teachers of one relation are averaged. Empty where nothing was compared (:mod:`kdnb.analysis.comparisons`).
    """
    file = study.comparison("stitching.parquet")
    if file is None:
        return pd.DataFrame(columns=COLUMNS)
    every, spec = pd.read_parquet(file), study.students[0].spec
    mine = every["weights"].isin({run.weights_checksum for run in study.shown})
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
        for label in study.groups
        if not (part := rows[rows["label"] == label]).empty
    }


def ahead(study: Study, found: pd.DataFrame, column: str = "linear") -> dict[str, dict[int, float]]:
    """By how many points the own teacher is ahead of another of its model with a help, by label and seed."""
    return over_seeds.less(*(values(study, found, relation, column) for relation in ("own", "alike")), times=100)


def floors(found: pd.DataFrame) -> dict[str, Mapping[str, float]]:
    """Mean accuracy with each help of what was not learned, by kind: pixels, untrained."""
    rows = found[found["kind"] != "student"]
    return {str(kind): {name: float(part[name].mean()) for name in HELP} for kind, part in rows.groupby("kind")}
