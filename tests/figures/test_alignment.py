"""Alignment: rungs, plug-in; every figure, whatever was measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawable import drawable
from made_up import SPEC, STUDENTS, kd, put, rounded, steps, store

from kdnb.analysis import lost, selection, words
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.book import widgets
from kdnb.figures.alignment import ladder, plug_in
from kdnb.figures.alignment import terms as parts

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


# ---------------------------------------------------------------------------------------------------------- the ladder
def test_a_rung_is_the_last_epochs_and_every_mu_is_in_the_table(study: Study) -> None:
    made = ladder.ladder(study)
    dots = next(trace for trace in made.figure.data if trace.name == "rotated")
    assert list(dots.x) == ["normal", "T=1", "T=4", "T=10", "DIST", "MSE"]
    assert list(dots.y) == rounded([run.last("mu_rotated") for run in study.students])
    assert made.table.count("<tr>") == len(ladder.NAMES) + len(lost.KINDS)
    assert f"{study.kd[4].last('mu_scaled'):.3g}" in made.table


def test_shares_are_of_the_same_students_raw_mu(study: Study) -> None:
    rows = lost.table(study)
    for kind in ("matched", "rotated"):
        gone = np.median([1 - run.last(f"mu_{kind}") / run.last("mu_raw") for run in study.students])
        assert lost.medians(rows, kind)["teacher"] == pytest.approx(gone)
        assert f"{gone:.0%} {'is gone ' if kind == 'matched' else ''}once {kind}" in ladder.ladder_sentence({"x": rows})
    other = np.median([1 - run.last("bystander_mu_rotated") / run.last("bystander_mu_raw") for run in study.students])
    assert f"of μ to the bystander {words.number(other, '{:.0%}')}" in ladder.ladder_sentence({"digits": rows})


def test_teacher_and_bystander_are_compared_over_the_same_students(tmp_path: Path) -> None:
    """Those without a mu count in neither, and those without the bystander's not where others have it."""
    other = store(tmp_path, [SPEC, kd(1), kd(4)], without="bystander_mu")
    put(other.students[0], mu_raw=0.0)
    put(other.students[2], bystander_mu_raw=2.0, bystander_mu_matched=1.0)
    found = lost.medians(lost.table(other), "matched")
    own = 1 - other.students[2].last("mu_matched") / other.students[2].last("mu_raw")
    assert (found["students"], found["bystander"]) == (1, 0.5) and found["teacher"] == pytest.approx(own)
    assert lost.medians(lost.table(other), "rotated")["students"] == 2


def test_without_a_bystander_its_share_is_not_told(tmp_path: Path) -> None:
    alone = store(tmp_path, [SPEC], without="bystander")
    assert "bystander" not in ladder.ladder_sentence({"digits": lost.table(alone)})


def test_a_student_that_keeps_the_teachers_classifier_has_no_shares(tmp_path: Path) -> None:
    other = store(tmp_path, [SPEC])
    put(other.students[0], mu_raw=0.0)
    told = ladder.ladder_sentence({"digits": lost.table(other)})
    assert told == "**It cannot be told on digits, where no student has a μ above zero to take apart.**"


def test_what_any_rows_lose_is_that_of_rows_as_long_that_know_no_teacher() -> None:
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(10, 64)) * rng.uniform(0.5, 2, (10, 1))
    rows = lost.random_rows(weight, rng)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.linalg.norm(weight, axis=1))
    cosines = (rows * weight).sum(1) / (weight**2).sum(1)
    assert np.abs(cosines).max() < 0.6  # other directions
    again = lost.dealt(weight, rng)
    assert sorted(map(tuple, again)) == sorted(map(tuple, weight)) and (again != weight).any()


@pytest.mark.parametrize(("profile", "least", "most"), [("digits", 0.45, 0.56), ("cifar100-small", 0.30, 0.42)])
def test_published_students_lose_more_by_a_rotation_than_random_rows(profile: str, least: float, most: float) -> None:
    """By singular values of W_t^T R: ||W_t||^2 + ||R||^2 less twice their sum is what the best rotation leaves."""
    chosen = selection.load(ChapterParameters(profile=profile, output_dir=str(RESULTS / profile)))
    assert chosen.teacher is not None
    taught = chosen.teacher.trace()[0][-1].astype(float)
    rng, gone = np.random.default_rng(1), []
    for run in chosen.shown:
        lengths = np.linalg.norm(run.trace()[0][-1].astype(float), axis=1, keepdims=True)
        rows = rng.normal(size=taught.shape)
        rows *= lengths / np.linalg.norm(rows, axis=1, keepdims=True)
        both = (taught**2).sum() + (rows**2).sum()
        left = both - 2 * np.linalg.svd(taught.T @ rows, compute_uv=False).sum()
        gone.append(1 - np.sqrt(left / (both - 2 * (taught * rows).sum())))
    found = lost.medians(lost.table(chosen), "rotated")
    assert least < np.median(gone) < most and found["random"] == pytest.approx(np.median(gone), abs=0.02)
    assert found["dealt"] < found["teacher"] and found["random"] < found["bystander"] < found["teacher"]


# ------------------------------------------------------------------------------------------------ plug-in and collapse
def test_plug_in_shows_three_accuracies_and_normal_training_behind(study: Study) -> None:
    figures, labels = steps(plug_in.plugged(study))
    assert labels == [run.label for run in study.students]
    columns = ("plug_in_accuracy", "plug_in_accuracy_matched", "test_accuracy")
    behind, *front = figures[2].data
    assert [list(trace.y) for trace in front] == [rounded(study.kd[4].history[column]) for column in columns]
    assert list(behind.y) == rounded(study.students[0].history["plug_in_accuracy_matched"])
    _, matched, own = (study.kd[4].last(column) for column in columns)
    told = f"KD T=4 {matched:.1%}, its own classifier {own:.1%}"
    made = plug_in.plugged(study)
    assert told in made.answer and made.brief == "**It cannot be told from so few seeds on digits.**"


@pytest.mark.parametrize(
    ("kd_keeps", "normal_keeps", "said"),
    [
        (0.95, 0.95, "yes, once matched, taught or not,"),
        (0.95, 0.5, "yes, once matched and taught,"),
        (0.5, 0.5, "no, not even matched,"),
        (0.95, 0.9, "undecided, even matched,"),
    ],
)
def test_whether_it_works_is_said_by_the_interval_of_every_study(
    tmp_path: Path, kd_keeps: float, normal_keeps: float, said: str
) -> None:
    found = store(tmp_path, [replace(spec, init_seed=seed) for seed in range(3) for spec in (SPEC, kd(4))])
    for run in found.every:
        share = (kd_keeps if run.spec.method == "kd" else normal_keeps) + 0.01 * (run.spec.init_seed - 1)
        put(run, test_accuracy=0.8, plug_in_accuracy=0.1, plug_in_accuracy_matched=0.8 * share)
    made = plug_in.plugged(found, replace(found, name="other"))
    assert made.brief == words.sentence(f"{said} on digits and other")
    assert f"KD T=4 {0.8 * kd_keeps:.1%}, its own classifier 80.0%" in made.answer


def test_what_was_not_trained_stands_beside_what_works_once_matched() -> None:
    """Pixels, relabelled, do well on digits: 64 of them for 64 features."""
    published = selection.load(ChapterParameters(profile="digits", output_dir=str(RESULTS / "digits")))
    file = pd.read_parquet(RESULTS / "digits" / "comparisons" / "stitching.parquet")
    mine = file[(file["teacher_model"] == "resnet20") & file["kind"].ne("student")]
    level = mine[mine["kind"].eq("pixels") | mine["model"].eq("resnet8")].groupby("kind")["matched"].mean()
    told = f"to compare, pixels {level['pixels']:.1%} and untrained network {level['untrained']:.1%})"
    assert plug_in.in_numbers(published).endswith(told)


def test_steps_have_as_many_traces_so_that_what_is_behind_is_stored_once(tmp_path: Path) -> None:
    packed = widgets.pack(plug_in.plugged(store(tmp_path)).figures)
    assert sum("y" in shared for shared in packed["data"]) >= 1


# --------------------------------------------------------------------------------------------------------------- all
@pytest.mark.parametrize("without", ["$^", "^(bystander|mu_|plug_in|classifier|cka|nc|pull|spread|account)"])
def test_every_figure_can_be_drawn_without_scripts_whatever_was_measured(tmp_path: Path, without: str) -> None:
    study = store(tmp_path, STUDENTS, without=without)
    made = [make(study) for make in (ladder.ladder, ladder.sides, parts.norm_and_angle, plug_in.plugged)]
    for one in made:
        for fig in one.figures[:1]:
            drawable(fig)
        assert "nan" not in one.answer + one.says + one.table
    assert all(("cannot be told" in one.answer or "no μ" in one.answer) for one in made[1:]) == ("mu_" in without)
