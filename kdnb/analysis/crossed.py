"""``python -m kdnb crossed --profile NAME --runs FOLDER ...``: own teacher less another's, over all pairs.

What a student shows of its teacher and not of the bystander is alignment, unless it is a trait of this pair of
teachers: one may be nearer to everything. So each of several teachers is once the own and once the other one, in every
ordered pair: in the mean of two teachers' orders, over the same seeds, such a trait cancels. (In normal training, which
had no teacher, all cancels: there the mean is zero by arithmetic.) The unit of evidence is a teacher: its students
stand in its pairs with every other one.

Writes ``comparisons/crossed.parquet`` beside published runs: a row for each student and measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kdnb import paths, runs
from kdnb.analysis.students import recipe
from kdnb.analysis.study import Study
from kdnb.files import damaged
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

PAIR = ["teacher", "bystander"]
TWO = ["first", "second"]  # the same two in whichever order

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
    """A row for each finished student under ``folders`` and each of MEASURES: pair, name, label, seed, own, other.

    ``teacher`` and ``bystander`` are the teachers' seeds, ``name`` that of the student's folder. Only students of a
    recipe (method, weight decay, schedule and so on) that every pair of teachers has; a student that is in two folders
    counts once. Raises ValueError where a teacher is in none of the folders, where two teachers have one seed or two
    recipes one label, where fewer than two pairs are there, or where they have no recipe in common.
    """
    known = {run.weights_checksum: run.spec.init_seed for f in folders for run in runs.find(f, role="teacher")}
    students = runs.find_students(folders)
    rows = [row for run in students for row in _rows(run, known)]
    found = pd.DataFrame(rows, columns=["recipe", *PAIR, "name", "label", "seed", "measure", "own", "other"])
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
    told |= {"name": run.spec.name, "label": run.label, "seed": run.spec.init_seed}
    there = [name for name in MEASURES if name in last and f"{BYSTANDER}{name}" in last]
    return [
        told | {"measure": name, "own": float(last[name]), "other": float(last[f"{BYSTANDER}{name}"])} for name in there
    ]


def contrasts(found: pd.DataFrame) -> pd.DataFrame:
    """Own less other, positive: nearer to the own teacher; a row a label, measure and pair: the mean, and its seeds.

    Seeds that both orders of two teachers have, or a trait would not cancel; labels and measures that every pair has.
    """
    signs = found["measure"].map(MEASURES)
    nearer = _two(found.assign(nearer=signs * (found["own"] - found["other"])))
    orders = nearer.groupby(["label", "measure", *TWO, "seed"])["nearer"].transform("size")
    by_pair = nearer[orders == len(PAIR)].groupby(["label", "measure", *PAIR], as_index=False)
    means = by_pair.agg(nearer=("nearer", "mean"), seeds=("seed", tuple))
    pairs = len(found.groupby(PAIR))
    whole: pd.DataFrame = means[means.groupby(["label", "measure"])["nearer"].transform("size") == pairs]
    return whole


def contrasts_of(study: Study) -> pd.DataFrame:
    """What :func:`contrasts` tells of the study's students; empty where none were compared.

    A label of the table is one recipe, and the study's if a student of that name is: another weight decay has another.
    """
    place = study.comparison(Path(FILE).name)
    if place is None:
        return pd.DataFrame(columns=["label", "measure", *PAIR, "nearer", "seeds"])
    found = pd.read_parquet(place)
    if "name" not in found:
        raise damaged(place, "comparison", "it lacks the students' names")
    mine = found["name"].isin([run.spec.name for run in study.shown])
    every = contrasts(found)
    return every[every["label"].isin(found.loc[mine, "label"])]


def _two(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(first=part[PAIR].min(axis=1), second=part[PAIR].max(axis=1))


def by_teacher(part: pd.DataFrame) -> dict[str, list[float]]:
    """Of one measure, by label: how much nearer its own students are, a value a teacher.

    Two teachers' value, the mean of each being the own and the other one, is half the sum of what each of the two
    passes on: D_ij = (a_i + a_j) / 2, solved for a by least squares. With every pair the mean of a is that of D. One
    value, the mean of D, where the pairs do not tell the teachers apart: with two of them. What pairs have beyond their
    teachers makes the interval over a too wide, never too narrow: of three teachers it spreads a twice as far as D.
    """
    means = _two(part).groupby(["label", *TWO])["nearer"].agg(["mean", "size"])
    known = means.loc[means["size"] == len(PAIR), "mean"]
    return {str(label): _passed_on(values.droplevel("label")) for label, values in known.groupby("label")}


def _passed_on(known: pd.Series) -> list[float]:
    teachers = sorted({teacher for pair in known.index for teacher in pair})
    halves = np.array([[(teacher in pair) / 2 for teacher in teachers] for pair in known.index])
    a, _, rank, _ = np.linalg.lstsq(halves, known.to_numpy(), rcond=None)
    return [float(value) for value in a] if rank == len(teachers) else [float(known.mean())]
