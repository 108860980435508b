"""This book's own statements: tested seed by seed, drawn as tested, each on a figure that is there."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from exhibits import exhibits_of
from made_up import SPEC, kd, lasting, store, write

from kdnb.analysis import nearer, selection
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import ChapterParameters, StudiesParameters
from kdnb.analysis.students import Missing, Students
from kdnb.analysis.study import Study
from kdnb.claims import book_numbers
from kdnb.claims.book import STATEMENTS, within
from kdnb.claims.judge import BooksWord, Claim, Share, by_interval, interval_of, reach, verdict
from kdnb.figures import discussion

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
RESULTS = Path(__file__).parents[2] / "results"


def planted(values: dict[int, float], missing: tuple[int, ...] = ()) -> Claim[Study]:
    """A statement that holds where its number is positive; seeds of ``missing`` lack their runs."""

    def reading(students: Students) -> dict[str, float]:
        if students.seed in missing:
            raise Missing(f"run {students.seed}")
        return {"number": values[students.seed]}

    return replace(STATEMENTS[0], numbers=reading, parts=lambda numbers: numbers)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = store(tmp_path_factory.mktemp("runs"), [SPEC, kd(4)]).folder
    for seed in (1, 2):
        for spec in (SPEC, kd(4)):
            write(folder, replace(spec, init_seed=seed))
    return selection.load(ChapterParameters(output_dir=str(folder)))


@pytest.mark.parametrize(
    ("values", "answer", "held"),
    [
        ({0: 2.0, 1: 2.5, 2: 3.0}, "holds", 3),
        ({0: 0.1, 1: 2.0, 2: 4.0}, "undecided", 3),  # every seed is positive, and the interval reaches below zero
        ({0: 1.0, 1: -2.0, 2: 3.0}, "undecided", 2),
        ({0: -1.5, 1: -2.0, 2: -1.0}, "does not hold", 0),
    ],
)
def test_a_statement_holds_when_the_whole_interval_over_seeds_does(
    study: Study, values: dict[int, float], answer: str, held: int
) -> None:
    found = verdict(planted(values), study.seeds)
    assert (found.verdict, found.parts, found.seeds) == (answer, {"number": held}, [0, 1, 2])
    assert found.values == {"number": list(values.values())}


def test_seeds_without_the_runs_are_left_out_and_none_at_all_cannot_be_said(study: Study) -> None:
    part = verdict(planted({0: 1.0, 2: 1.0}, missing=(1,)), study.seeds)
    assert (part.verdict, part.seeds) == ("too few seeds", [0, 2])
    none = verdict(planted({}, missing=(0, 1, 2)), study.seeds)
    assert (none.verdict, none.missing, none.values) == ("cannot be said", "run 0", {})


@pytest.mark.parametrize(
    ("agree", "of", "seeds", "answer"),
    [(4, 4, 3, "undecided"), (13, 13, 5, "holds"), (12, 13, 5, "undecided"), (6, 13, 5, "does not hold")],
)
def test_signs_that_all_agree_are_no_proof_where_they_are_few(agree: int, of: int, seeds: int, answer: str) -> None:
    """Of 12 yes, 74 % may be the truth: an interval over three equal shares had no width, and S13 held."""
    (one,) = (claim for claim in STATEMENTS if claim.id == "S13")
    shares = [Share(agree, of)] * seeds
    asked = [one.parts({"gap": 0.01 + k / 1000, "sign as ‖W_s‖ says": share}) for k, share in enumerate(shares)]
    assert by_interval(asked) == answer
    low, high = interval_of(shares)
    assert answer != "undecided" or reach(asked)[0] == pytest.approx((high - low) / 2)  # as wide as what is judged


def test_r_of_a_study_too_short_for_one_is_missing_and_of_changes_alone_undefined(tmp_path: Path) -> None:
    """Half of 4 epochs are no r; of 6 they are one of levels, and leave two changes."""
    short, longer = (store(tmp_path / f"{n}", [lasting(kd(4), n)]) for n in (4, 6))
    with pytest.raises(Missing, match="at least 3 epochs"):
        book_numbers.correlations(short)
    found = book_numbers.correlations(longer)
    assert np.isfinite([found["μ to the teacher"], found["μ to the bystander"]]).all()
    assert np.isnan(found["changes from epoch to epoch"])
    alone = store(tmp_path / "alone", [kd(4)], without="bystander_mu")
    with pytest.raises(Missing, match="μ to the bystander of KD T=4"):
        book_numbers.correlations(alone)


def test_students_without_t_squared_are_found_by_what_they_are(tmp_path: Path) -> None:
    """Their labels say so; they were looked up by the labels of the others, and said to be missing."""
    unsquared = [
        replace(one, method_parameters=one.method_parameters | {"squared": 0.0}) for one in map(kd, (1, 4, 10))
    ]
    study = replace(store(tmp_path, [SPEC]), students=[write(tmp_path, one) for one in (SPEC, *unsquared)])
    assert set(book_numbers.separation(study)) == {"KD T=1", "KD T=4", "KD T=10"}


def test_the_figure_has_the_mean_its_interval_and_every_seed(study: Study) -> None:
    one = planted({0: 0.1, 1: 0.2, 2: 0.6})
    found = verdict(one, study.seeds)
    seeds, means = discussion._figure(one, {"mine": found}, {"mine": study}).data
    assert list(seeds.x) == [0.1, 0.2, 0.6] and list(means.x) == [0.3]
    reach = 4.302652729911275 * np.std([0.1, 0.2, 0.6], ddof=1) / np.sqrt(3)  # Student's t, 2 degrees of freedom
    np.testing.assert_allclose([means.error_x.array[0], means.error_x.arrayminus[0]], reach, rtol=1e-3)
    told = replace(one, quoted=("number",))
    assert discussion.answer({"mine": found, "too": found}) == "**Undecided on mine and too.**"
    assert "undecided<br><small>number: +0.30; n = 3; ±\u00a00.66, needed ±\u00a00.30<" in discussion._cell(told, found)


def test_where_no_study_has_the_runs_there_is_no_empty_figure(study: Study) -> None:
    none = {"mine": verdict(STATEMENTS[0], [])}
    made = discussion.statement(STATEMENTS[0].id, {STATEMENTS[0].id: none}, {"mine": study})
    assert made.figures == [] and made.answer == "**Not measured on mine.**" and made.says.startswith("Not drawn: mine")


def test_a_study_keeps_its_colour_where_another_has_nothing(study: Study) -> None:
    one = verdict(planted(dict.fromkeys(range(3), 1.0)), study.seeds)
    other = verdict(planted({}, missing=(0, 1, 2)), study.seeds)
    both = discussion._figure(planted({}), {"a": one, "b": one}, {"a": study, "b": study}).data
    alone = discussion._figure(planted({}), {"a": other, "b": one}, {"a": study, "b": study}).data
    assert alone[-1].marker.color == both[-1].marker.color != both[1].marker.color


# ------------------------------------------------------------------------------------------- what the repository holds
@pytest.mark.parametrize("one", STATEMENTS, ids=[one.id for one in STATEMENTS])
def test_its_figure_is_in_the_chapter_that_it_names(one: Claim[Study]) -> None:
    shown = discussion.SHOWN[one.id]
    assert shown in exhibits_of(shown.chapter)
    outcomes = {name: {"digits": verdict(of, [])} for name, of in ((of.id, of) for of in STATEMENTS)}
    assert f"{shown.chapter}.html#{shown.id('digits')}" in discussion.as_html(outcomes)


@pytest.mark.parametrize("one", STATEMENTS, ids=[one.id for one in STATEMENTS])
def test_it_can_be_said_of_a_published_study(one: Claim[Study]) -> None:
    studies = discussion.studies(StudiesParameters())
    assert any(verdict(one, study.seeds).verdict != "cannot be said" for study in studies.values())


def test_alike_is_two_one_sided_tests() -> None:
    """A difference inside the bounds in every seed is not enough: its whole interval has to be."""
    close, wide = ([0.001, -0.001, 0.0], [0.004, -0.004, 0.004])
    assert by_interval([dict(enumerate(within(value, 0.005))) for value in close]) == "holds"
    assert by_interval([dict(enumerate(within(value, 0.005))) for value in wide]) == "undecided"
    assert by_interval([dict(enumerate(within(value, 0.005))) for value in [0.02, 0.021, 0.022]]) == "does not hold"


def test_every_word_of_a_verdict_answers_and_counts() -> None:
    one = verdict(planted({}), [])
    for word in get_args(BooksWord):
        found = replace(one, verdict=word)
        assert discussion.answer({"mine": found}) == f"**{discussion.WORDS[word].capitalize()} on mine.**"
        assert discussion.summary({"S1": {"mine": found}}) == (
            f"**Of the 1 statements, on mine 1 {discussion.COUNTED[word][0]}.**"
        )
    assert discussion.missing({"mine": replace(one, missing="a run")}) == "Not drawn: mine, which lacks a run."


def test_noise_of_either_sign_does_not_add_up_to_a_difference() -> None:
    """S3: pulls that differ by nothing but noise; the sizes of its margins were added, and 5 seeds said no."""
    (one,) = [claim for claim in STATEMENTS if claim.id == "S3"]

    def parts(gaps: tuple[float, float]) -> dict[str, float]:
        return one.parts({"distillation": gaps[0], "weight decay": gaps[1]})

    noise = [(0.1, 0.08), (-0.09, -0.1), (0.08, -0.09), (-0.1, 0.1), (0.1, -0.01)]
    assert one.word([parts(gaps) for gaps in noise]) == "undecided"
    assert one.word([parts((gap / 10, other / 10)) for gap, other in noise]) == "holds"
    assert one.word([parts((0.2 + gap / 10, other / 10)) for gap, other in noise]) == "does not hold"
    assert [min(parts(gaps).values()) for gaps in noise] == pytest.approx([0.1 - abs(a) - abs(b) for a, b in noise])


def test_the_page_says_on_how_many_pairs_of_teachers_it_rests(tmp_path: Path) -> None:
    a, b = ({"checksum": name, "model": "resnet20"} for name in "ab")
    specs = [replace(spec, teacher=a, bystander=b) for spec in (SPEC, kd(4))]
    one = store(tmp_path / "one", specs)
    two = store(tmp_path / "two", [*specs, replace(SPEC, init_seed=1, teacher=b, bystander=a)])
    told = discussion.pairs({"one": one, "same": one, "two": two})
    assert "are 1 pair on one and same; 2 pairs on two: " in told
    assert discussion.pairs({}) == ""


# ------------------------------------------------------------------------------------------ nearer, by every measure
def test_nearer_is_what_is_beyond_the_bystander_and_beyond_normal_training() -> None:
    above, beside, below = estimate([1, 1.1, 0.9]), estimate([-1, 0.1, 1]), estimate([-1, -1.1, -0.9])
    few, none = estimate([1.0, 1.1]), estimate([])
    answers = [
        (above, above, "yes"),
        (above, none, "yes"),  # where normal training is no control
        (above, beside, "as normal training"),
        (above, below, "as normal training"),
        (beside, above, "not seen"),
        (below, above, "no"),
        (few, few, "too few seeds"),
        (none, none, ""),
    ]
    assert [nearer.Found(own, beyond).answer for own, beyond, _ in answers] == [said for _, _, said in answers]


def test_each_measure_is_teacher_less_bystander_and_above_zero_where_nearer() -> None:
    """By hand from the files of the published students, seed 0 of digits; and links to a figure that is shown."""
    chosen = StudiesParameters(profiles=("digits",), results_dir=str(RESULTS))
    study = discussion.studies(chosen)["digits"]
    last = pd.read_parquet(RESULTS / "digits" / "kd-T4-a0.9-wd0.0005-s0" / "history.parquet")
    start, end = last.iloc[study.warm_up], last.iloc[-1]
    file = pd.read_parquet(RESULTS / "digits" / "comparisons" / "stitching.parquet")
    mine = file[(file["name"] == "kd-T4-a0.9-wd0.0005-s0") & (file["teacher_model"] == "resnet20")].set_index(
        "relation"
    )
    expected = {
        "raw μ": end["bystander_mu_raw"] - end["mu_raw"],
        "fall of raw μ after the warm-up": end["bystander_mu_raw"] / start["bystander_mu_raw"]
        - end["mu_raw"] / start["mu_raw"],
        "pull of distillation on μ²": (last["bystander_pull_kd"] - last["pull_kd"]).sum(),
        "accuracy of W_t, features matched (points)": 100 * (mine["matched"]["own"] - mine["matched"]["alike"]),
        "accuracy of W_t, features mapped linearly (points)": 100 * (mine["linear"]["own"] - mine["linear"]["alike"]),
    }
    found = nearer.found(study)
    for measure, value in expected.items():
        assert found[measure].own.values[study.leading.spec.init_seed] == pytest.approx(value, rel=1e-4, abs=1e-6), (
            measure
        )
    made = discussion.nearer_to_its_teacher({"digits": study})
    assert made.table.count("<tr>") == len(nearer.MEASURES)
    yes = [measure for measure, one in found.items() if one.answer == "yes"]
    assert made.answer.startswith(f"**On digits by {len(yes)} of {len(found)} measures")
    for maker in discussion.NEARER_IN.values():
        assert maker in exhibits_of(maker.chapter)
