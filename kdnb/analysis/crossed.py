"""``python -m kdnb crossed --profile NAME --runs FOLDER ...``: own teacher less another's, over all pairs.

What a student shows of its teacher and not of the bystander is alignment, unless it is a trait of this pair of
teachers: one may be nearer to everything. So each of several teachers is once the own and once the other one, in every
ordered pair; the unit of evidence is the pair, its value the mean over seeds.

Writes ``comparisons/crossed.parquet`` beside published runs: a row for each student and measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from kdnb import paths, runs
from kdnb.analysis import stats
from kdnb.analysis.selection import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

Spans = dict[str, tuple[float, float, float]]  # mean and 95 % interval by label


FILE = f"{paths.COMPARISONS}/crossed.parquet"
# What is compared with either teacher, and the sign with which more of it is nearer.
MEASURES: Mapping[str, int] = {
    "classifier_cosine": 1,
    "mu_raw": -1,
    "mu_matched": -1,
    "mu_rotated": -1,
    "plug_in_accuracy_matched": 1,
    "cka": 1,
    "agreement": 1,
    "divergence": -1,
}


def table(folders: Sequence[Path]) -> pd.DataFrame:
    """A row for each finished student under ``folders`` and each of MEASURES: pair, label, seed, own, other.

    ``teacher`` and ``bystander`` are the teachers' seeds. Raises ValueError where a teacher is in none of the folders,
    or where fewer than two pairs are there.
    """
    known = {run.weights_checksum: run.spec.init_seed for f in folders for run in runs.find(f, role="teacher")}
    rows = [row for f in folders for run in runs.find(f, role="student") for row in _rows(run, known)]
    found = pd.DataFrame(rows, columns=["teacher", "bystander", "label", "seed", "measure", "own", "other"])
    if len(found.groupby(["teacher", "bystander"])) < 2:
        raise ValueError(
            f"{', '.join(map(str, folders))}: students of one pair of teachers alone; name the folders of other pairs."
        )
    return found


def _rows(run: Run, known: Mapping[str, int]) -> list[dict[str, object]]:
    if run.spec.teacher is None or run.spec.bystander is None:
        return []
    pair = [identity["checksum"] for identity in (run.spec.teacher, run.spec.bystander)]
    if missing := [checksum[:12] for checksum in pair if checksum not in known]:
        raise ValueError(f"{run.path} was trained with teacher {missing[0]}, which is in none of the folders.")
    last = run.history.iloc[-1]
    told = {"teacher": known[pair[0]], "bystander": known[pair[1]], "label": run.label, "seed": run.spec.init_seed}
    there = [name for name in MEASURES if name in last and f"{BYSTANDER}{name}" in last]
    return [
        told | {"measure": name, "own": float(last[name]), "other": float(last[f"{BYSTANDER}{name}"])} for name in there
    ]


def contrasts(found: pd.DataFrame) -> pd.DataFrame:
    """Own less other, positive: nearer to the own teacher; a row a label, measure and pair, the mean over seeds.

    Labels and measures that every pair has.
    """
    signs = found["measure"].map(MEASURES)
    nearer = found.assign(nearer=signs * (found["own"] - found["other"]))
    means = nearer.groupby(["label", "measure", "teacher", "bystander"], as_index=False)["nearer"].mean()
    pairs = len(found.groupby(["teacher", "bystander"]))
    whole: pd.DataFrame = means[means.groupby(["label", "measure"])["nearer"].transform("size") == pairs]
    return whole


def contrasts_of(study: Study) -> pd.DataFrame:
    """What :func:`kdnb.analysis.crossed.contrasts` tells of the study; empty where no pairs were compared."""
    place = study.comparison(FILE.split("/")[-1])
    if place is None:
        return pd.DataFrame(columns=["label", "measure", "teacher", "bystander", "nearer"])
    return contrasts(pd.read_parquet(place))


def spans(part: pd.DataFrame) -> Spans:
    """Of each label the mean over pairs, and its interval."""
    return {
        str(label): (float(values.mean()), *stats.mean_interval(values))
        for label, values in part.groupby("label")["nearer"]
    }
