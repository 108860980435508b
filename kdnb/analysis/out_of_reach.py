"""What a frozen classifier costs beside one of its own, and whether every class can win with it."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdnb.analysis import design, representability
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.runs import Run

WIDTHS = ("digits-d8", "digits-d16")  # pairs that differ in nothing but how many features they have
# From this seed on digits-d8 was trained after it was said, classifier by classifier, who would lose 10 points or more.
PREDICTED = ("digits-d8", 3)
FILE = Path(representability.FILE).name
COLUMNS = [
    *("study", "name", "method", "seed", "answers", "points"),
    *("unwinnable", "margin", "features", "classes"),
]


def with_widths(chosen: StudiesParameters) -> dict[str, Study]:
    """The chosen studies, and those of WIDTHS whose students of that kind are published beside them."""
    return chosen.studies() | chosen.present(WIDTHS)


def reached(studies: Mapping[str, Study]) -> pd.DataFrame:
    """A row a student with a frozen classifier: COLUMNS.

    ``points`` are accuracy beside one of its seed with its own classifier: of KD where it has the teacher's ``answers``
    as well, of normal training where it has labels alone; ``unwinnable``: how many classes cannot win, ``margin``: the
    least by which one can, 1 where all can by as much as they like.
    """
    tables = [_reached(study).assign(study=name) for name, study in studies.items() if study.comparison(FILE)]
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _reached(study: Study) -> pd.DataFrame:
    levels = _levels(study)
    told = [
        {
            "name": run.path.name,
            "answers": _answers(run),
            "points": 100 * (run.last("test_accuracy") - levels[_answers(run)][run.spec.init_seed]),
        }
        for run in _frozen(study)
    ]
    return marks(study).merge(pd.DataFrame(told, columns=["name", "answers", "points"]), on="name")


def predicted(found: pd.DataFrame) -> pd.DataFrame:
    """Rows of those that were trained after their classifiers were judged."""
    study, first = PREDICTED
    return found[(found["study"] == study) & (found["seed"] >= first)]


def uncomputed(study: Study) -> int:
    """How many students of :func:`reached`'s kind have no row, since what is within their reach was not computed."""
    return sum(run.path.name not in set(marks(study)["name"]) for run in _frozen(study))


def _answers(run: Run) -> bool:
    """Whether it learns from the teacher's answers as well, not from labels alone."""
    return bool(run.spec.method_parameters.get("alpha"))


def _levels(study: Study) -> Mapping[bool, Mapping[int, float]]:
    """By whether the teacher's answers are learned, accuracies of students with their own classifier, by seed."""
    cells = design.cells(study.every)
    rows = {True: "answers", False: "labels"}
    return {answers: cells.get((row, "own"), {}) for answers, row in rows.items()}


def _frozen(study: Study) -> list[Run]:
    """Students with a frozen classifier that have one of their seed with its own, learning the same."""
    levels = _levels(study)
    return [
        run for run in filter(representability.is_frozen, study.every) if run.spec.init_seed in levels[_answers(run)]
    ]


def marks(study: Study) -> pd.DataFrame:
    """What was computed of a study's frozen classifiers, a row a student; no rows where nothing was."""
    place = study.comparison(FILE)
    return pd.read_parquet(place) if place else pd.DataFrame(columns=["name"])
