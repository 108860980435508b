"""Is a student's classifier nearer to its teacher's than to the bystander's?"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from kdnb.analysis import over_seeds
from kdnb.analysis.study import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run, find
from kdnb.runs.store import column_of


def lengths(study: Study) -> dict[str, float]:
    """||W|| of the teachers in the study's folder, by the checksum that students know them by."""
    return {run.weights_checksum: run.last("weight_norm") for run in find(study.folder, role="teacher")}


def cosine(run: Run, kind: str, side: str, known: Mapping[str, float]) -> float:
    """Cosine of W_s and W_t, of the bystander where ``side`` says so, lined up as ``kind`` allows, at the last epoch.

    From mu and both lengths; ``known``: :func:`lengths`. nan where one of the three is missing.
    """
    identity = run.spec.bystander if side else run.spec.teacher
    other, own = known.get(identity["checksum"] if identity else "", np.nan), run.last("weight_norm")
    return (other**2 + own**2 - run.last(f"{side}mu_{kind}") ** 2) / (2 * other * own)


def differences(study: Study, kind: str, view: str) -> dict[str, dict[int, float]]:
    """To the teacher minus to the bystander, last epoch, by label and seed: of mu, or of the cosine (``view``)."""
    known = lengths(study)
    read: Callable[[Run, str], float] = {
        "μ": lambda run, side: run.last(f"{side}mu_{kind}"),
        "cosine": lambda run, side: cosine(run, kind, side, known),
    }[view]
    return over_seeds.collect(study, lambda run: read(run, "") - read(run, BYSTANDER))


def split(study: Study, run: Run) -> pd.DataFrame:
    """Columns ``epoch, squared, teacher, student, inner``: mu^2 and its three terms, the last from the cosine.

    The two that need ||W_t|| are nan where the teacher's run is not at hand.
    """
    table = run.history
    taught = study.teacher.last("weight_norm") if study.teacher else np.nan
    own = column_of(table, "weight_norm")
    return pd.DataFrame(
        {
            "epoch": table["epoch"],
            "squared": column_of(table, "mu_raw") ** 2,
            "teacher": taught**2,
            "student": own**2,
            "inner": -2 * column_of(table, "classifier_cosine") * taught * own,
        }
    )


def moves(study: Study, run: Run) -> pd.DataFrame:
    """Change since the first epoch after the warm-up: of mu^2, of the norm, of the angle; also to the bystander.

    The angle's part is what the norm leaves of the change, so that neither ||W_t|| nor ||W_o|| is needed.
    """
    table = run.after(study.warm_up)
    squared, other = (column_of(table, f"{side}mu_raw") ** 2 for side in ("", "bystander_"))
    norm = column_of(table, "weight_norm") ** 2
    found = pd.DataFrame({"squared": squared, "student": norm, "angle": squared - norm, "bystander": other - norm})
    return (found - found.iloc[0]).assign(epoch=table["epoch"].to_numpy())
