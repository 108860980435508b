"""Interventions are compared seed by seed, and what they are by construction holds in published runs."""

import re
from pathlib import Path

import numpy as np
import pytest
from compared import spec
from drawable import drawable
from made_up import TEACHER_SPEC, write
from scipy import stats as scipy_stats

from kdnb import methods
from kdnb.analysis import by_method, interventions
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.figures.interventions import questions
from kdnb.methods.interventions import Frozen

FROZEN = ("frozen", "permuted", "rotated", "shuffled")
SEEDS = {
    **{"normal": (0, 1), "kd": (0, 1, 2, 4), "frozen": (0, 1, 2, 3), "permuted": (0,)},
    **{"rotated": (0, 1, 2), "pulled": (4,)},
}


def studies(root: Path) -> dict[str, Study]:
    return StudiesParameters(profiles=["digits"], results_dir=str(root)).studies(methods=interventions.METHODS)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("interventions")
    write(root / "digits", TEACHER_SPEC)
    for name, seeds in SEEDS.items():
        for seed in seeds:
            write(root / "digits", spec(name, init_seed=seed))
    for factor in (2, 4):
        write(root / "digits", spec("simkd", {"factor": factor}), without="mu_|plug_in|classifier_cosine")
    return studies(root)["digits"]


@pytest.fixture(scope="module")
def published() -> Study:
    return StudiesParameters(profiles=["cifar100-small"]).studies(methods=FROZEN)["cifar100-small"]


def accuracy(study: Study, name: str, seed: int) -> float:
    (run,) = [run for run in study.every if run.spec.method == name and run.spec.init_seed == seed]
    return float(run.history["test_accuracy"].to_numpy()[-1])


# ------------------------------------------------------------------------------------------- by construction, published
def test_a_frozen_classifier_is_where_its_method_puts_it(published: Study) -> None:
    """Over all epochs: frozen has no mu; another order or axes leave nothing once they are undone; rows keep norms."""
    last = {run.spec.method: run.history for run in published.students}
    assert (last["frozen"]["mu_raw"] == 0).all()
    norm = last["frozen"]["weight_norm"].iloc[0]
    for name, undone in (("permuted", "mu_permuted"), ("rotated", "mu_rotated"), ("shuffled", None)):
        table = last[name]
        assert np.ptp(table["mu_raw"]) < 1e-3 * norm and table["mu_raw"].iloc[0] > 0.5 * norm
        np.testing.assert_allclose(table["weight_norm"], norm, rtol=1e-3)
        assert undone is None or (table[undone] < 1e-3 * norm).all()


def test_raw_mu_is_the_norms_and_an_angle(published: Study) -> None:
    """mu^2 = 2 ||W_t||^2 (1 - cosine) where both norms are the teacher's: permuted and shuffled look alike to it."""
    for run in published.students:
        row = run.history.iloc[-1]
        expected = row["weight_norm"] * np.sqrt(2 * (1 - row["classifier_cosine"]))
        assert row["mu_raw"] == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_the_questions_are_about_methods_there_are() -> None:
    asked = {name for pair in questions.QUESTIONS.values() for name in pair}
    assert asked == set(interventions.METHODS) <= set(methods.METHODS)
    frozen = {name for name, method in methods.METHODS.items() if issubclass(method, Frozen)}
    assert frozen <= set(interventions.METHODS)


# --------------------------------------------------------------------------------------------------- paired differences
def test_a_difference_is_of_the_same_seed(study: Study) -> None:
    found = interventions.differences(study, "frozen", "kd")
    assert found == {seed: accuracy(study, "frozen", seed) - accuracy(study, "kd", seed) for seed in (0, 1, 2)}
    assert interventions.differences(study, "pulled", "frozen") == {}
    assert interventions.differences(study, "simplex", "kd") == {}


def test_the_figure_has_a_row_a_question_with_a_dot_a_seed_and_student_s_interval(study: Study) -> None:
    fig = questions.asked({"digits": study}).figure["digits"]
    dots, means = fig.data
    rows = list(fig.layout.yaxis.ticktext)
    asked = {
        questions.compared(*pair) for pair in questions.QUESTIONS.values() if interventions.differences(study, *pair)
    }
    assert set(rows) == asked and list(dots.y).count(rows.index("frozen − KD T=4")) == 3
    points = [100 * (accuracy(study, "frozen", seed) - accuracy(study, "kd", seed)) for seed in (0, 1, 2)]
    place = list(means.y).index(rows.index("frozen − KD T=4"))
    assert means.x[place] == pytest.approx(np.mean(points), rel=1e-3)
    low, high = scipy_stats.t.interval(0.95, 2, np.mean(points), scipy_stats.sem(points))
    assert means.error_x.array[place] == pytest.approx(high - np.mean(points), rel=1e-3)
    assert means.error_x.arrayminus[place] == pytest.approx(np.mean(points) - low, rel=1e-3)
    assert means.error_x.array[list(means.y).index(rows.index("permuted − frozen"))] is None  # one seed
    drawable(fig)


def test_simkd_is_compared_with_its_usual_factor(study: Study) -> None:
    (run,) = interventions.group(study, "simkd")
    assert run.spec.method_parameters["factor"] == 2
    assert {"SimKD", "SimKD f=4"} <= set(by_method.groups(study))


def test_an_interval_that_leaves_out_zero_is_named(tmp_path: Path) -> None:
    write(tmp_path / "digits", TEACHER_SPEC)
    for name, level in (("kd", 0.5), ("frozen", 0.6), ("permuted", 0.5)):
        for seed in (0, 1, 2):
            run = write(tmp_path / "digits", spec(name, init_seed=seed))
            table = run.history.assign(test_accuracy=level + (0.001 if name != "kd" else 0.0) * (-1) ** seed)
            table.to_parquet(run.path / "history.parquet")
    two = "on digits for 2 of 2 (above it frozen − KD T=4; below it permuted − frozen), beyond chance"
    assert two in questions.answers_sentence(studies(tmp_path))


def test_simkd_is_told_by_the_features_of_projected_where_it_was_not_trained(tmp_path: Path) -> None:
    """Nothing below the classifier learns from it: where both were trained they are one network."""
    write(tmp_path / "digits", TEACHER_SPEC)
    for seed in range(3):
        write(tmp_path / "digits", spec("projected", init_seed=seed))
    study = studies(tmp_path)["digits"]
    last = {run.spec.init_seed: run.history.iloc[-1] for run in study.every}
    expected = {seed: row["plug_in_accuracy"] - row["test_accuracy"] for seed, row in last.items()}
    assert interventions.differences(study, "simkd", "projected") == pytest.approx(expected) and len(expected) == 3
    for name, trained in StudiesParameters(profiles=["cifar100-small"]).studies(methods=("simkd", "projected")).items():
        both = {(run.spec.method, run.spec.init_seed): run for run in trained.every}
        seeds = [seed for method, seed in both if method == "simkd"]
        for seed in seeds:
            projected = both["projected", seed].last("plug_in_accuracy")
            assert projected == pytest.approx(both["simkd", seed].last("test_accuracy"), abs=1e-6)
        assert 0 < len(seeds) < len(interventions.differences(trained, "simkd", "projected")), name


# -------------------------------------------------------------------------------------------------------------- answers
def test_each_question_is_answered_with_its_own_pair(study: Study) -> None:
    text = questions.answers({"digits": study})
    rows = {cells[0]: cells for row in text.split("<tr>")[1:] if (cells := re.findall(r"<td>(.*?)</td>", row))}
    asked = {question for question, pair in questions.QUESTIONS.items() if interventions.differences(study, *pair)}
    assert set(rows) == asked and "Do the axes matter?" in asked
    points = [100 * (accuracy(study, "rotated", seed) - accuracy(study, "frozen", seed)) for seed in (0, 1, 2)]
    cells = rows["Do the axes matter?"]
    assert cells[1] == "rotated − frozen" and cells[2].startswith(f"{np.mean(points):+.2f}\u00a0±".replace("-", "−"))


def test_a_single_student_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "digits", TEACHER_SPEC)
    write(tmp_path / "digits", spec("frozen"))
    alone = studies(tmp_path)
    asked = questions.asked(alone)
    assert asked.figures == [] and asked.table == ""  # there is no pair
    assert "cannot be told" in asked.answer
