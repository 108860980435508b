"""Does the last layer collapse, and is that what makes two classifiers alike?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdnb.analysis import collapse, words
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit

NAMES = {
    "nc1": "NC1: spread within classes",
    "nc2": "NC2: rows from a simplex",
    "nc3": "NC3: rows from class means",
    "random": "NC2 of random rows",
    "least": "least NC2 possible",
}
NEARER = {-1: "nearer", 0: "no nearer that could be seen", 1: "farther"}


@exhibit("neural-collapse", "A row a student: three measures of neural collapse, and what random rows have.")
def collapsed(studies: Mapping[str, Study]) -> Exhibit:
    """Means over seeds at the last epoch, a row a student of each study, folded."""
    found = {name: collapse.table(study) for name, study in studies.items()}
    answer = words.sentence("; ".join(_simplex(name, studies[name], one) for name, one in found.items()))
    rows = [
        {"study": name, "network": label} | {text: _number(part[key].mean()) for key, text in NAMES.items()}
        for name, one in found.items()
        for label, part in one.groupby("label", sort=False)
    ]
    return Exhibit(None, "", answer, style.folded("In numbers", style.table(pd.DataFrame(rows), "neural collapse")))


def _simplex(name: str, study: Study, found: pd.DataFrame) -> str:
    """Whether KD's rows are nearer to a simplex than random ones, and how tight its classes are, in a clause."""
    own, normal = (found[found["label"] == label] for label in (study.leading.label, "normal"))
    gap = estimate(own["nc2"] - own["random"])
    if not gap.enough:
        return f"it cannot be told from so few seeds on {name}"
    nc2, random, least, nc1 = (_number(own[key].mean()) for key in ("nc2", "random", "least", "nc1"))
    beside = f", {_number(normal['nc1'].mean())} in normal training" if normal["nc1"].notna().any() else ""
    text = f"NC2 of {study.leading.label} {nc2}, of random rows {random}, the least possible {least}"
    return f"{NEARER[gap.side]} on {name}: {text}; NC1 {nc1}{beside}"


def _number(value: float) -> str:
    return words.number(value, "{:.2g}" if value < 1 else "{:.3g}") if np.isfinite(value) else "–"
