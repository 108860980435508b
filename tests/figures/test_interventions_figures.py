"""Interventions are compared seed by seed, and what they are by construction holds in published runs."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawable import drawable
from made_up import SPEC, TEACHER_SPEC, rounded, write
from scipy import stats as scipy_stats

from kdnb import methods
from kdnb.analysis import by_method, interventions
from kdnb.analysis.selection import StudiesParameters, Study
from kdnb.figures.interventions import curves, questions
from kdnb.methods.interventions import Frozen
from kdnb.runs import RunSpec

FROZEN = ("frozen", "permuted", "rotated", "shuffled")
SEEDS = {
    **{"normal": (0, 1), "kd": (0, 1, 2, 4), "frozen": (0, 1, 2, 3), "permuted": (0,)},
    **{"rotated": (0, 1, 2), "pulled": (4,)},
}


def spec(method: str, parameters: dict[str, float] | None = None, **changes: object) -> RunSpec:
    full = methods.parameters_of(methods.create(method, parameters))
    return replace(SPEC, method=method, method_parameters=full, **changes)  # type: ignore[arg-type]


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
    assert asked | {"normal"} == set(interventions.METHODS) <= set(methods.METHODS)
    frozen = {name for name, method in methods.METHODS.items() if issubclass(method, Frozen)}
    assert frozen <= set(interventions.METHODS)


# --------------------------------------------------------------------------------------------------- paired differences
def test_a_difference_is_of_the_same_seed(study: Study) -> None:
    found = interventions.differences(study, "frozen", "kd")
    assert found == {seed: accuracy(study, "frozen", seed) - accuracy(study, "kd", seed) for seed in (0, 1, 2)}
    assert interventions.differences(study, "pulled", "frozen") == {}
    assert interventions.differences(study, "simplex", "kd") == {}


def test_the_paired_figure_has_a_dot_a_seed_and_student_s_interval(study: Study) -> None:
    fig = curves.paired(study).figure
    dots, means = fig.data
    assert [x for x in dots.x if x == "frozen"] == ["frozen"] * 3 and "KD T=4" not in dots.x
    points = [100 * (accuracy(study, "frozen", seed) - accuracy(study, "kd", seed)) for seed in (0, 1, 2)]
    place = list(means.x).index("frozen")
    assert means.y[place] == pytest.approx(np.mean(points), rel=1e-3)
    low, high = scipy_stats.t.interval(0.95, 2, np.mean(points), scipy_stats.sem(points))
    assert means.error_y.array[place] == pytest.approx(high - np.mean(points), rel=1e-3)
    assert means.error_y.arrayminus[place] == pytest.approx(np.mean(points) - low, rel=1e-3)
    assert means.error_y.array[list(means.x).index("permuted")] is None  # one seed
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
    text = curves.paired_sentence(studies(tmp_path)["digits"])
    assert text == (
        "The interval leaves out zero for 1 of 2 that share three seeds or more with KD: frozen (+10.03 points)."
    )


# -------------------------------------------------------------------------------------------------- curves and features
def test_curves_are_the_histories_and_every_menu_entry_too(study: Study) -> None:
    fig = curves.curves(study).figure
    runs = by_method.shown(study)
    assert [trace.name for trace in fig.data] == [by_method.short(run) for run in runs]
    for trace, run in zip(fig.data, runs, strict=True):
        assert list(trace.y) == rounded(run.history["test_accuracy"])
    names = {name: column for column, name in curves.CURVES.items()}
    for button in fig.layout.updatemenus[0].buttons:
        for y, run in zip(button.args[0]["y"], runs, strict=True):
            column = names[button.label]
            assert list(y) == (rounded(run.history[column]) if column in run.history else [None] * 24)
        low, high = button.args[1]["yaxis.range"]
        assert low < high
    widths = {trace.name: trace.line.width for trace in fig.data}
    assert widths["SimKD f=4"] < widths["SimKD"]
    drawable(fig)


def test_the_first_to_stand_where_kd_ends_is_found(study: Study) -> None:
    goal = accuracy(study, "kd", 0)
    table = next(run for run in study.students if run.spec.method == "frozen").history
    reached = table["epoch"][table["test_accuracy"] >= goal]
    text = curves.curves_sentence(study)
    assert f"ends at {goal:.2%}" in text
    assert reached.empty or f"frozen (epoch {reached.iloc[0]})" in text or text.count("(epoch") == 3


def test_features_have_a_row_a_network_and_a_panel_a_measure(study: Study) -> None:
    table = interventions.looks(study)
    assert list(table.index) == [*by_method.groups(study), "teacher"]
    fig = curves.features(study, table).figure
    assert [note.text for note in fig.layout.annotations] == list(interventions.LOOKS.values())
    for trace, column in zip(fig.data, interventions.LOOKS, strict=True):
        shown = [None if np.isnan(value) else value for value in rounded(table[column])]
        assert list(trace.x) == shown and list(trace.y) == list(table.index)
    drawable(fig)


def test_the_ends_of_a_measure_are_named_for_students_alone(study: Study) -> None:
    table = interventions.looks(study).assign(cka=0.5, ratio=1.0)
    table.loc[["teacher", "frozen", "KD T=4"], "ratio"] = [9, 2, 0.5]
    text = curves.features_sentence(table)
    assert "beside their spread, for **frozen** (2; at the other end **KD T=4**, 0.5)" in text


def test_of_a_long_training_a_point_is_the_mean_of_a_block(tmp_path: Path) -> None:
    write(tmp_path / "digits", replace(TEACHER_SPEC, epochs=50))
    run = write(tmp_path / "digits", spec("kd", epochs=50, drops=(31, 38, 44)))
    made = studies(tmp_path)["digits"]
    assert interventions.block(made) == 2
    (trace,) = curves.curves(made).figure.data
    values = run.history["test_accuracy"].to_numpy()
    assert list(trace.x) == list(range(2, 51, 2)) and list(trace.y) == rounded(values.reshape(25, 2).mean(1))


# -------------------------------------------------------------------------------------------------------------- answers
def test_each_question_is_answered_with_its_own_pair(study: Study) -> None:
    text = questions.answers(study)
    rows = {cells[0]: cells for row in text.split("<tr>")[1:] if (cells := re.findall(r"<td>(.*?)</td>", row))}
    asked = {question for question, pair in questions.QUESTIONS.items() if interventions.differences(study, *pair)}
    assert set(rows) == asked and "Do the axes matter?" in asked
    points = [100 * (accuracy(study, "rotated", seed) - accuracy(study, "frozen", seed)) for seed in (0, 1, 2)]
    cells = rows["Do the axes matter?"]
    assert cells[1:3] == ["rotated − frozen", "3"] and cells[3] == questions.spread(points)
    assert cells[3].startswith(f"{np.mean(points):+.2f}\u00a0±")


def test_a_mean_of_one_or_two_has_no_interval() -> None:
    assert [questions.spread(points) for points in ([], [1.0], [1.0, 2.0])] == ["–", "+1.00", "+1.50"]
    assert questions.spread([1.0, 1.0, 1.0]) == "+1.00\u00a0±\u00a00.00"


def test_the_answers_in_words_name_their_reference_once(study: Study) -> None:
    text = questions.answers_sentence(study)
    assert text.count("Against **KD T=4**") == text.count("Against **frozen**") == 1
    assert "*permuted* ends at μ = " in text and "*simplex*" not in text and "on 60 images" in text


def test_the_table_has_every_student_and_no_number_that_is_none(study: Study) -> None:
    text = questions.as_html(study, interventions.looks(study))
    rows = [cells for row in text.split("<tr>")[1:] if (cells := re.findall(r"<td>(.*?)</td>", row))]
    assert [cells[0] for cells in rows] == list(by_method.groups(study))
    assert "nan" not in text and len({len(cells) for cells in rows}) == 1
    told = {cells[0]: cells[3] for cells in rows}
    assert told["KD T=4"] == "–" and told["permuted"].startswith(("+", "-"))


def test_what_was_not_trained_is_said(study: Study) -> None:
    assert (
        curves.absent(study)
        == "Not trained on digits: started, pulled, pushed, foreign, random, shuffled, simplex, straight and projected."
    )


def test_a_single_student_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "digits", TEACHER_SPEC)
    write(tmp_path / "digits", spec("frozen"))
    alone = studies(tmp_path)["digits"]
    looks = interventions.looks(alone)
    for fig in (curves.curves(alone).figure, curves.features(alone, looks).figure):
        drawable(fig)
    assert not any(len(trace.x) or len(trace.y) for trace in curves.paired(alone).figure.data)  # there is no pair
    texts = [curves.curves_sentence(alone), curves.features_sentence(looks), questions.answers(alone)]
    texts += [questions.answers_sentence(alone), questions.as_html(alone, looks), curves.paired_sentence(alone)]
    assert not any("nan" in text for text in texts) and "KD was not trained here" in texts[0]
