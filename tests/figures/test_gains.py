"""Whether reuse helps: each row of the design beside a classifier of its own, and what comes without distillation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from designs import CELLS, make, spec
from scipy import stats

from kdnb.analysis.study import Study
from kdnb.figures.interventions import gains
from kdnb.runs import Run

NORMAL = [0.5, 0.51, 0.52]
COPIED = {"maps": "straight", "projected": "projected"}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make(tmp_path)


def reach(study: Study, place: tuple[str, str], accuracies: list[float]) -> None:
    """Let the students of a cell end there, seed by seed."""
    row, whose = place
    column = "test_accuracy" if row not in COPIED or whose == "own" else "plug_in_accuracy"
    one = spec(COPIED[row]) if row in COPIED else CELLS[place]
    for seed, value in enumerate(accuracies):
        (run,) = [run for run in study.every if run.path.name == replace(one, init_seed=seed).name]
        run.history[column] = value


def levels(study: Study, **given: list[float]) -> None:
    """All students of the design alike, but for the cells that are named as row_whose."""
    for row in gains.ROWS:
        for whose in ("own", "W_t"):
            reach(study, (row, whose), given.get(f"{row}_{whose}", NORMAL))


def only(study: Study, *methods: str) -> Study:
    every: list[Run] = [run for run in study.every if run.spec.method in methods]
    return replace(study, every=every)


def test_each_row_is_judged_by_a_classifier_of_its_own(study: Study) -> None:
    """Features copied through a projector are far above KD; W_t costs there all the same, and that is what is told."""
    levels(study, projected_own=[0.7, 0.71, 0.72], projected_W_t=[0.68, 0.69, 0.7], labels_W_t=[0.52, 0.53, 0.54])
    text = gains.helped({"digits": study})
    assert (
        "being equal: on digits yes with labels alone (+2.00), but it costs with features copied through a projector "
        "(−2.00).**"
    ) in text
    rows = dict(zip(*[iter(cells(text))] * 2, strict=True))
    assert rows["features copied through a projector − KD: own classifiers"].startswith("+20.00 (")
    assert rows["features copied through a projector: W<sub>t</sub> − own classifier"].startswith("−2.00 (")


def cells(text: str) -> list[str]:
    return [part.split("</td>")[0] for part in text.split("<td>")[1:]]


def test_one_interval_of_four_is_no_more_than_chance(study: Study) -> None:
    """One in four of independent intervals of nothing leaves out zero in a fifth of all tables."""
    assert stats.binom.sf(0, 4, 0.05) > 0.05 > stats.binom.sf(1, 4, 0.05)
    levels(study)
    assert "on digits not seen.**" in gains.helped({"digits": study})
    reach(study, ("answers", "W_t"), [0.4, 0.41, 0.42])
    assert "on digits not beyond chance (1 of 4 intervals).**" in gains.helped({"digits": study})
    reach(study, ("maps", "W_t"), [0.4, 0.41, 0.42])
    said = "on digits it costs with answers and labels (−10.00) and features copied straight (−10.00).**"
    assert said in gains.helped({"digits": study})


def test_it_is_not_said_of_two_seeds_or_of_none(study: Study) -> None:
    two = replace(study, every=[run for run in study.every if run.spec.init_seed < 2])
    assert "on digits too few seeds.**" in gains.helped({"digits": two})
    without = {"digits": only(study, "kd", "normal")}
    assert "cannot be told" in gains.helped(without) and "cannot be told" in gains.undistilled(without)
    assert gains.answer(without) == ""


def test_what_comes_without_distillation_stands_beside_what_distillation_gives(study: Study) -> None:
    """Each difference within one seed; the control that starts at W_t in the place of its caveat."""
    given, kd = [0.6, 0.611, 0.62], [0.6, 0.61, 0.619]
    levels(study, labels_W_t=given, answers_own=kd, projected_W_t=[0.4, 0.41, 0.42], answers_W_t=[0.61, 0.61, 0.61])
    reach(study, ("labels", "W_o"), [0.59, 0.6, 0.61])
    reach(study, ("labels", "started"), [0.5, 0.51, 0.53])
    gain, on_top = points(given, NORMAL), points([0.61, 0.61, 0.61], given)
    assert gains.undistilled({"digits": study, "few": only(study, "normal", "frozen")}) == (
        "**Does W<sub>t</sub> help without distillation? "
        f"On digits yes, {gain}, started there and trained {points([0.5, 0.51, 0.53], NORMAL)}, {gains.UNSEEN}; "
        f"distillation gives {points(kd, NORMAL)}; on top of W<sub>t</sub> it adds {on_top}, {gains.UNSEEN}; "
        f"W<sub>o</sub> less W<sub>t</sub>: {points([0.59, 0.6, 0.61], given)}. "
        f"On few yes, {gain}, where a head start in 24 epochs is not excluded; on top of W<sub>t</sub> it adds "
        f"{on_top}, {gains.UNSEEN}.**"
    )


def points(one: list[float], other: list[float]) -> str:
    """The mean difference in points, and Student's interval."""
    apart = 100 * np.subtract(one, other)
    ends = stats.ttest_1samp(apart, 0).confidence_interval()
    mean, low, high = (f"{value:+.2f}".replace("-", "−") for value in (apart.mean(), *ends))
    return f"{mean} ({low} to {high}, n\u00a0=\u00a03)"


def test_a_gain_that_chance_explains_is_not_called_one(study: Study) -> None:
    levels(study)
    for given, said in (([0.6, 0.61, 0.63], "not beyond chance"), ([0.4, 0.41, 0.43], "no, it is lower")):
        reach(study, ("labels", "W_t"), given)  # one interval of four
        told = gains.undistilled({"digits": study})
        assert f"On digits {said}, {points(given, NORMAL)}, started there and trained +" in told
        assert "distillation gives" not in told and "head start" not in told
    reach(study, ("labels", "W_t"), [0.6, 0.51, 0.42])
    assert f"On digits {gains.UNSEEN}, +0.00 (" in gains.undistilled({"digits": study})
