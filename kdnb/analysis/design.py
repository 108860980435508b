"""What does reuse need: the teacher's own classifier, any classifier, or the features? {what is learned} x {whose}.

=============  ==========================================================================================
answers        KD and cross-entropy, as the paper
labels         cross-entropy alone: the same methods at alpha = 0
maps           the teacher's last maps by squared difference, straight
projected      the same through SimKD's projector
=============  ==========================================================================================

each with a classifier of its own, W_t, W_o (the bystander's) and random rows as long as W_t's; of the first two one
that starts at W_t and is trained (*started*) is known as well, as a control. Where maps are copied
nothing below the classifier learns from it, so one student answers for every cell: its own accuracy, and the plug-in
accuracy of W_t and of W_o on its features. There the columns of W_o stand in another network's order of features, so
that it is asked for once more relabelled (matched), for which two networks' features may be too unlike, and through a
linear map (:func:`gap`). Random rows on such features are chance, not trained.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import pandas as pd

from kdnb.analysis import interventions, stitched, words
from kdnb.analysis.over_seeds import Estimate, estimate, minus
from kdnb.analysis.students import ALPHA
from kdnb.analysis.study import Study
from kdnb.runs import Run

CLASSIFIERS = ("own", "W_t", "W_o", "W_o matched", "random")
COLUMN = {
    "own": "test_accuracy",
    "W_t": "plug_in_accuracy",
    "W_o": "bystander_plug_in_accuracy",
    "W_o matched": "bystander_plug_in_accuracy_matched",
}
FROZEN = {"W_t": "frozen", "W_o": "foreign", "random": "random"}
CHANGED = ("permuted", "rotated", "shuffled")  # W_t, made another classifier
LEARNED = {
    "answers": "answers and labels (KD + CE)",
    "labels": "labels alone (CE)",
    "maps": "features by L2, straight",
    "projected": "features by L2, through SimKD's projector",
}
Need = Literal["yes", "no", "undecided", "too few seeds"]

Place = tuple[str, str]  # what is learned, and whose classifier
Cells = Mapping[Place, Mapping[int, float]]  # by seed


def said(by_seed: Mapping[int, float], form: str) -> str:
    """The mean of shares in per cent, half its interval, and of how many seeds."""
    found = estimate(100 * share for share in by_seed.values())
    half = words.plus_minus(found.low, found.high, "{:.2f}")
    return f"{words.number(found.mean, form)}{half} (n\u00a0=\u00a0{len(found.values)})"


def less(found: Cells, one: Place, other: Place) -> Estimate:
    """Points of test accuracy in one cell less those in another, seed by seed; without values where either is empty."""
    return estimate(minus(found.get(one, {}), found.get(other, {}), times=100).values())


def gap(study: Study, row: str) -> Estimate:
    """Points of test accuracy behind the bystander's classifier less those behind the teacher's.

    row: "answers", both frozen; "maps": on features copied straight, each behind a linear map of its own, as far as
    such maps were fitted. (Relabelled, W_o may fail on any student's features, which is no matter of need.)
    """
    if row == "answers":
        return less(cells(study.every), ("answers", "W_o"), ("answers", "W_t"))
    ahead = stitched.ahead(study, stitched.table(study))
    labels = {run.label for run in interventions.group(study, "straight")}
    return estimate(-points for label in labels for points in ahead.get(label, {}).values())


def need(apart: Estimate, margin: float) -> Need:
    """Whether reuse needs the teacher's own classifier, from :func:`gap`, beyond so many points, by the interval."""
    if not apart.enough:
        return "too few seeds"
    return "yes" if apart.high < -margin else "no" if apart.low > -margin else "undecided"


def cells(runs: Iterable[Run], temperature: float = 4.0) -> dict[Place, dict[int, float]]:
    """Test accuracy of the last epoch in every cell that was trained."""
    found: dict[Place, dict[int, float]] = {}
    for run in runs:
        for place, column in _places(run, temperature).items():
            if column in run.history:
                found.setdefault(place, {})[run.spec.init_seed] = float(run.history[column].iloc[-1])
    return found


def _places(run: Run, temperature: float) -> dict[Place, str]:
    """The cells that ``run`` answers for, and the column of its history that does."""
    method, given = run.spec.method, run.spec.method_parameters
    if method in ("straight", "projected"):
        row = "maps" if method == "straight" else "projected"
        return {(row, whose): column for whose, column in COLUMN.items()}
    row = "labels" if method == "normal" or given.get("alpha") == 0 else "answers"
    usual = method == "normal" or (given.get("temperature") == temperature and given.get("alpha") in (0, ALPHA))
    if not usual:
        return {}
    whose = {"normal": "own", "kd": "own", "started": "started"} | {name: whose for whose, name in FROZEN.items()}
    return {(row, whose[method]): "test_accuracy"} if method in whose else {}


def table(found: Cells) -> pd.DataFrame:
    """Rows LEARNED, columns CLASSIFIERS, a text each: accuracy, half its interval, seeds; a dash where none is.

    Below it, but for its own: what it is less that of its own, over the seeds that have both.
    """
    return pd.DataFrame(
        [[_told(found, row, whose) for whose in CLASSIFIERS] for row in LEARNED],
        index=list(LEARNED.values()),
        columns=list(CLASSIFIERS),
    )


def _told(found: Cells, row: str, whose: str) -> str:
    if (cell := found.get((row, whose))) is None:
        return "–"
    less = minus(cell, found.get((row, "own"), {})) if whose != "own" else {}
    return said(cell, "{:.2f}") + (f"<br><small>{said(less, '{:+z.2f}')}</small>" if less else "")


def is_trained(study: Study) -> bool:
    """Whether there is more of the design than two of its cells."""
    return {("answers", "own"), ("answers", "W_t"), ("answers", "W_o")} <= set(cells(study.every))


def runs_by_classifier(study: Study) -> list[Run]:
    """The students of :func:`beside_own`: KD at the usual temperature and alpha, whoever's classifier they have."""
    methods = {"kd", *FROZEN.values(), *CHANGED}
    usual = {"temperature": 4.0, "alpha": ALPHA}
    return [
        run for run in study.every if run.spec.method in methods and usual.items() <= run.spec.method_parameters.items()
    ]


def beside_own(study: Study) -> dict[str, Estimate]:
    """Points of KD's test accuracy by whose classifier the student has, less those with its own, seed by seed.

    As far as it was trained: CLASSIFIERS, then CHANGED.
    """
    there = runs_by_classifier(study)
    cells = {
        whose: {run.spec.init_seed: run.last("test_accuracy") for run in there if run.spec.method == method}
        for whose, method in {"own": "kd", **FROZEN, **{name: name for name in CHANGED}}.items()
    }
    own = cells.pop("own")
    return {whose: estimate(gaps.values()) for whose, cell in cells.items() if (gaps := minus(cell, own, times=100))}
