"""Is a student's classifier nearer to its teacher's than to the bystander's?"""

from collections.abc import Callable, Mapping

import numpy as np

from kdnb.analysis import over_seeds
from kdnb.analysis.selection import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run, find


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

    def difference(run: Run) -> float | None:
        found = read(run, "") - read(run, BYSTANDER)
        return found if np.isfinite(found) else None

    return over_seeds.collect(study, difference)
