"""``python -m kdnb crossed --profile NAME --runs FOLDER ...``: own teacher less another's, over all pairs.

What a student shows of its teacher and not of the bystander is alignment, unless it is a trait of this pair of
teachers: one may be nearer to everything. So each of several teachers is once the own and once the other one, in every
ordered pair. The unit of evidence is two teachers: in the mean of their two orders such a trait cancels. (In normal
training, which had no teacher, all cancels: there the mean is zero by arithmetic.)

Writes ``comparisons/crossed.parquet`` beside published runs: a row for each student and measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from kdnb import paths, runs
from kdnb.analysis.students import recipe
from kdnb.analysis.study import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

PAIR = ["teacher", "bystander"]

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

    ``teacher`` and ``bystander`` are the teachers' seeds. Only students of a recipe (method, weight decay, schedule and
    so on) that every pair of teachers has; a student that is in two folders counts once. Raises ValueError where a
    teacher is in none of the folders, where two teachers have one seed or two recipes one label, where fewer than two
    pairs are there, or where they have no recipe in common.
    """
    known = {run.weights_checksum: run.spec.init_seed for f in folders for run in runs.find(f, role="teacher")}
    students = runs.find_students(folders)
    rows = [row for run in students for row in _rows(run, known)]
    found = pd.DataFrame(rows, columns=["recipe", *PAIR, "label", "seed", "measure", "own", "other"])
    pairs, named = len(found.groupby(PAIR)), ", ".join(map(str, folders))
    if pairs < 2:
        raise ValueError(f"{named}: students of one pair of teachers alone; name the folders of other pairs.")
    taught = {one["checksum"] for run in students for one in (run.spec.teacher, run.spec.bystander) if one} & set(known)
    if len(taught) > len({known[one] for one in taught}):
        raise ValueError(f"{named}: two teachers that differ have one seed; name the folders of one study's teachers.")
    count = found.drop_duplicates(["recipe", *PAIR]).groupby("recipe").size()
    whole = found[found["recipe"].map(count) == pairs]
    if odd := [str(label) for label, part in whole.groupby("label") if part["recipe"].nunique() > 1]:
        raise ValueError(
            f"{named}: students called {odd[0]} were trained in several ways (networks, data, alpha, ...); name "
            "folders that hold each in one way."
        )
    if whole.empty:
        raise ValueError(f"{named}: no student was trained alike with all {pairs} pairs of teachers; train one.")
    return whole.drop(columns="recipe").reset_index(drop=True)


def _rows(run: Run, known: Mapping[str, int]) -> list[dict[str, object]]:
    if run.spec.teacher is None or run.spec.bystander is None:
        return []
    pair = [identity["checksum"] for identity in (run.spec.teacher, run.spec.bystander)]
    if missing := [checksum[:12] for checksum in pair if checksum not in known]:
        raise ValueError(f"{run.path} was trained with teacher {missing[0]}, which is in none of the folders.")
    last = run.history.iloc[-1]
    told = {"recipe": recipe(run.spec), **dict(zip(PAIR, map(known.get, pair), strict=True))}
    told |= {"label": run.label, "seed": run.spec.init_seed}
    there = [name for name in MEASURES if name in last and f"{BYSTANDER}{name}" in last]
    return [
        told | {"measure": name, "own": float(last[name]), "other": float(last[f"{BYSTANDER}{name}"])} for name in there
    ]


def contrasts(found: pd.DataFrame) -> pd.DataFrame:
    """Own less other, positive: nearer to the own teacher; a row a label, measure and pair: the mean, and of how many.

    Labels and measures that every pair has.
    """
    signs = found["measure"].map(MEASURES)
    nearer = found.assign(nearer=signs * (found["own"] - found["other"]))
    by_pair = nearer.groupby(["label", "measure", *PAIR])["nearer"]
    means = by_pair.agg(["mean", "size"]).set_axis(["nearer", "seeds"], axis=1).reset_index()
    pairs = len(found.groupby(PAIR))
    whole: pd.DataFrame = means[means.groupby(["label", "measure"])["nearer"].transform("size") == pairs]
    return whole


def contrasts_of(study: Study) -> pd.DataFrame:
    """What :func:`kdnb.analysis.crossed.contrasts` tells of the study; empty where no pairs were compared."""
    place = study.comparison(FILE.split("/")[-1])
    if place is None:
        return pd.DataFrame(columns=["label", "measure", *PAIR, "nearer", "seeds"])
    return contrasts(pd.read_parquet(place))


def both_ways(part: pd.DataFrame) -> dict[str, list[float]]:
    """Of one measure, by label: a value for every two teachers, the mean of each being the own and the other one."""
    two = part.assign(first=part[PAIR].min(axis=1), second=part[PAIR].max(axis=1))
    means = two.groupby(["label", "first", "second"])["nearer"].agg(["mean", "size"])
    known = means.loc[means["size"] == len(PAIR), "mean"]
    return {str(label): list(values) for label, values in known.groupby("label")}
