"""The design: every cell from the run that answers for it, and what is out of reach."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from designs import CELLS, make, spec
from scipy import stats as scipy_stats

from kdnb.analysis import design, out_of_reach, representability
from kdnb.analysis.over_seeds import estimate, minus
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.figures.interventions import design as drawn


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make(tmp_path_factory.mktemp("runs"))


def test_a_pair_of_other_width_without_such_students_is_left_out() -> None:
    """Only the chosen studies have to have them: a study that nobody asked for used to stop the chapter."""
    usual = StudiesParameters(profiles=("digits",))
    assert list(out_of_reach.with_widths(usual)) == ["digits", *out_of_reach.WIDTHS]
    assert list(out_of_reach.with_widths(replace(usual, weight_decay=0))) == ["digits"]
    with pytest.raises(FileNotFoundError, match="seed 9"):
        out_of_reach.with_widths(replace(usual, seed=9))


def test_every_cell_is_the_run_that_answers_for_it(study: Study) -> None:
    found = design.cells(study.every)
    last = {run.path.name: run.history.iloc[-1] for run in study.every}
    for place, one in CELLS.items():
        expected = {seed: last[replace(one, init_seed=seed).name]["test_accuracy"] for seed in range(3)}
        assert found[place] == expected, place
    for row, name in (("maps", "straight"), ("projected", "projected")):
        columns = {"own": "test_accuracy", "W_t": "plug_in_accuracy", "W_o": "bystander_plug_in_accuracy"}
        for whose, column in columns.items():
            assert found[(row, whose)][0] == last[spec(name).name][column]
        assert (row, "random") not in found


def test_the_bystanders_classifier_is_held_against_the_teachers(study: Study) -> None:
    """Below zero where reuse needs the teacher's own: W_o less W_t, seed by seed."""
    last = {run.path.name: run.last("test_accuracy") for run in study.every}
    named = [[spec(name, seed).name for name in ("foreign", "frozen")] for seed in range(3)]
    expected = [100 * (last[others] - last[mine]) for others, mine in named]
    assert design.gap(study, "answers").values == pytest.approx(expected) and any(expected)
    assert design.gap(study, "maps").values == []  # no linear map was fitted


def test_copied_features_are_asked_for_another_classifier_through_a_linear_map() -> None:
    """Relabelled, W_o is right on a fifth of the images of any CIFAR student, whoever's features it copies."""
    published = StudiesParameters(profiles=("cifar100-small",)).studies(methods=("normal", "straight", "projected"))
    cifar = published["cifar100-small"]
    rows = pd.read_parquet(cifar.folder / "comparisons" / "stitching.parquet").query("label == 'features by L2'")
    by_seed = rows.pivot(index="seed", columns="relation", values="linear")
    found = design.gap(cifar, "maps")
    assert sorted(found.values) == pytest.approx(sorted(100 * (by_seed["alike"] - by_seed["own"])))
    relabelled = np.mean([*design.cells(cifar.every)[("maps", "W_o matched")].values()])
    assert -5 < found.mean < -1 and relabelled < 0.25 < 0.45 < by_seed["alike"].min()
    assert "through a linear map W<sub>o</sub> is behind on cifar100-small, " in drawn.sentence(published)


def test_points_beside_ones_own_classifier_are_of_kd_at_the_usual_alpha(study: Study) -> None:
    found = [design.beside_own(replace(study, every=every)) for every in (study.every, study.every[::-1])]
    last = {run.path.name: run.last("test_accuracy") for run in study.every}
    for whose, name in design.FROZEN.items():
        pairs = [[last[spec(one, seed).name] for one in (name, "kd")] for seed in range(3)]
        points = [100 * (other - own) for other, own in pairs]
        assert any(points) and all(sorted(one[whose].values) == pytest.approx(sorted(points)) for one in found)


def test_a_cell_is_said_with_its_interval_and_less_another_over_the_seeds_of_both() -> None:
    one, other = {0: 0.5, 1: 0.7, 2: 0.9}, {1: 0.6, 2: 0.6, 5: 0.1}
    found = {("answers", "own"): one, ("answers", "W_t"): other}
    assert design.less(found, *found).values == pytest.approx([10, 30])
    assert design.less(found, ("answers", "own"), ("labels", "own")).values == []
    low, high = scipy_stats.ttest_1samp([50, 70, 90], 0).confidence_interval()
    assert design.said(one, "{:.2f}") == f"70.00\u00a0±\u00a0{(high - low) / 2:.2f} (n\u00a0=\u00a03)"


def test_a_mean_of_one_or_two_has_no_interval() -> None:
    said = [design.said(dict(enumerate(shares)), "{:+.2f}") for shares in ([0.01], [0.01, 0.02], [0.01] * 3)]
    n = "(n\u00a0=\u00a0{})".format
    assert said == [f"+1.00 {n(1)}", f"+1.50 {n(2)}", f"+1.00\u00a0±\u00a00.00 {n(3)}"]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([0.9, 0.901, 0.902], "no"),
        ([0.8, 0.801, 0.802], "yes"),
        ([0.8, 0.95, 0.9], "undecided"),
        ([0.9, 0.9], "too few seeds"),
    ],
)
def test_the_answer_can_turn_out_any_way(others: list[float], said: str) -> None:
    apart = minus(dict(enumerate(others)), dict(enumerate([0.9, 0.901, 0.902])), times=100)
    assert drawn.need(estimate(apart.values())) == said


def test_table_and_sentence_hold_the_cells(study: Study) -> None:
    found = design.cells(study.every)
    made = drawn.outcomes({"digits": study, "digits-few": study})
    text, sentence = made.table, made.answer
    assert re.findall(r'<th scope="col">(digits\S*)</th>', text) == [
        "digits",
        "digits-few",
    ]  # a table each: one is too wide
    for place in (("answers", "own"), ("labels", "random"), ("maps", "W_t")):
        assert f"{100 * np.mean([*found[place].values()]):.2f}" in text
    foreign, frozen = (found[("answers", whose)] for whose in ("W_o", "W_t"))
    difference = 100 * np.mean([foreign[seed] - frozen[seed] for seed in range(3)])
    assert f"{difference:+.2f} (".replace("-", "−") in sentence
    alone = replace(study, every=[run for run in study.every if run.spec.method == "kd"])
    assert "not measured on digits and digits-few.**" in sentence
    assert "not tried on digits" in drawn.sentence({"digits": alone}) and drawn.as_html({"digits": alone}) == ""


def test_the_answer_stands_first_and_of_every_study(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = {"0": [-10.0, -10.0, -11.0], "1": [0.0, 0.1, 0.0], "2": [-10.0, 10.0, 0.0], "3": [-10.0], "4": []}
    monkeypatch.setattr(design, "gap", lambda study, row: estimate(gaps[study.name]))
    text = drawn.sentence({name: replace(study, name=name) for name in gaps})
    answers, maps = text.split(". Where features are copied, W<sub>o</sub> through a linear map: behind on 0, ")
    told = [part.split(",")[0] for part in answers.split(": ")[1].split("; ")]
    assert ", where answers are distilled: needed on 0, −10.33 (" in text and text.startswith("**W<sub>t</sub> itself")
    assert told == ["needed on 0", "not needed on 1", "undecided on 2", "too few seeds on 3", "not tried on 4"]
    assert "; not behind on 1, " in maps
    poor = drawn.sentence({"0": replace(study, name="0"), "4": replace(study, name="4")})
    assert f"Where features are copied {drawn.BELONGS} behind on 0, " in poor  # wherever it was measured
    fair = drawn.sentence({"1": replace(study, name="1")})
    assert "Where features are copied, W<sub>o</sub> through a linear map: not behind on 1, " in fair


@pytest.fixture(scope="module")
def frozen(study: Study) -> pd.DataFrame:
    """Students with a frozen classifier: a class cannot win with random rows."""
    every = [run for run in study.every if representability.is_frozen(run)]
    rows = [{"name": run.path.name, "method": run.spec.method, "seed": run.spec.init_seed} for run in every]
    table = pd.DataFrame(rows).assign(features=64, classes=10)
    table["unwinnable"] = 2 * (table["method"] == "random")
    table["margin"] = 1.0 - (table["method"] == "random")
    target = study.folder / representability.FILE
    target.parent.mkdir(exist_ok=True)
    table.to_parquet(target)
    return out_of_reach.reached({"digits": study})


def test_a_frozen_student_stands_beside_one_that_learns_the_same(study: Study, frozen: pd.DataFrame) -> None:
    """With the teacher's answers beside KD, with labels alone beside normal training; as the design's cells say."""
    assert len(frozen) == 18 and frozen["answers"].sum() == 9
    cells = design.cells(study.every)
    for (method, answers), part in frozen.groupby(["method", "answers"]):
        row = "answers" if answers else "labels"
        whose = next(whose for whose, name in design.FROZEN.items() if name == method)
        expected = minus(cells[(row, whose)], cells[(row, "own")], times=100)
        assert [*part["points"]] == pytest.approx([*expected.values()])
    marks = [trace for trace in drawn.reach(frozen, {"digits": study}).figure.data if trace.x != (None,)]
    assert sum(len(trace.x) for trace in marks) == 18 and len({trace.marker.color for trace in marks}) == 2
    assert drawn.left_out({"digits": study}) == ""


def test_students_whose_reach_was_not_computed_are_counted(study: Study, frozen: pd.DataFrame) -> None:
    target = study.folder / representability.FILE
    whole = pd.read_parquet(target)
    whole[whole["method"] != "random"].to_parquet(target)
    assert drawn.left_out({"digits": study}).endswith("not computed: 6 students of digits.")
    whole.to_parquet(target)


def lost(study: str, classes: int, unwinnable: int, points: list[float], **more: object) -> pd.DataFrame:
    rows = [{"name": "x", "seed": seed, "points": value} for seed, value in enumerate(points)]
    about = {
        "study": study,
        "classes": classes,
        "unwinnable": unwinnable,
        "margin": 1.0,
        "answers": True,
        "method": "random",
    }
    return pd.DataFrame(rows).assign(**(about | {"features": 8} | more))


def test_what_is_lost_where_a_class_cannot_win_stands_beside_what_others_lose() -> None:
    table = pd.concat(
        [
            lost("a", 10, 0, [1.0, -2.04, 0.5]),
            lost("b", 10, 1, [-10.0, -30.46]),
            lost("c", 100, 0, [-20.0, -21.0, -22.0], method="shuffled"),
            lost("c", 100, 0, [-18.0, -19.0, -20.0], answers=False),
            lost("c", 100, 0, [1.0, 0.0, -1.0]),
        ]
    )
    assert drawn.reach_sentence(table) == (
        "**On a and b a class cannot win for 2 of 5 students: they lose 10.0 to 30.5 points, 20.2 at the median; "
        "the others 2.0 at most. On c every class can win for all 9 students; all the same it costs to be shuffled "
        "(−21.00) and random with labels alone (−19.00).**"
    )
    assert drawn.reach_sentence(lost("b", 10, 1, [-3.0])) == (
        "**On b a class cannot win for 1 of 1 student: they lose 3.0 to 3.0 points, 3.0 at the median.**"
    )
    barely = pd.concat([table, lost("b", 10, 0, [-9.0, -14.8], margin=0.045)])
    assert "; where one wins by 0.045 logits at most (2 students) up to 14.8; the others 2.0 at most. On c" in (
        drawn.reach_sentence(barely)
    )
    assert drawn.reach_sentence(lost("a", 10, 0, [1.0, 0.0, -1.0])).endswith("3 students; none is seen to cost.**")
    assert "was not computed" in drawn.reach_sentence(table[:0])


def test_those_that_were_trained_after_the_prediction_are_told_apart() -> None:
    study, first = out_of_reach.PREDICTED
    later = lost(study, 10, 2, [-12.0, -11.0]).assign(seed=[first, first + 1])
    table = pd.concat([lost(study, 10, 0, [0.0] * first), later, lost("x", 10, 0, [0.0] * (first + 2))])
    assert drawn.reach_sentence(table).endswith(
        ". Of those whose classifiers were judged before they were trained a class cannot win for 2 of 2 students: "
        "they lose 11.0 to 12.0 points, 11.5 at the median.**"
    )


def test_on_digits_a_published_classifier_costs_where_a_class_cannot_win() -> None:
    """Ten points and more, but where a tie is won, and nobody else more than two and a half; CIFAR's can all win."""
    chosen = StudiesParameters(profiles=("digits-few", "digits", "cifar100-small"))
    found = out_of_reach.reached(out_of_reach.with_widths(chosen))
    digits, cifar = (found[found["classes"] == classes] for classes in (10, 100))
    cannot = digits["unwinnable"] > 0
    old = digits["seed"] < out_of_reach.PREDICTED[1]
    *_, free = digits[cannot & old].sort_values("points")["points"]
    assert sorted(digits[cannot & old]["points"])[-2] < -9.9 and digits[~cannot & old]["points"].min() > -2.5
    # Features of zero give rows without bias a tie, which the class named first wins: a student has learned that.
    assert free > -1 and digits[cannot & old & (digits["points"] == free)]["method"].item() == "random"
    assert not cifar["unwinnable"].any() and cifar["points"].min() < -20
