"""A study whose seeds differ in their students: every student is seen, and what is compared is of the same seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, TEACHER_SPEC, kd, rounded, write

from kdnb.analysis import by_method, correlations, interventions, over_seeds, r_over_seeds, selection, variations
from kdnb.analysis import norms as correlation_norms
from kdnb.analysis.selection import ChapterParameters, StudiesParameters
from kdnb.analysis.study import Study
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import verdict
from kdnb.figures import claim_words
from kdnb.figures.correlation import accuracy, norms
from kdnb.figures.mu_curves import over_epochs
from kdnb.runs import Run

PUSHED = replace(kd(4), method="pushed")
SEEDS = [(SPEC, (0, 1, 2)), (kd(4), (0, 1, 2)), (kd(1), (0, 2)), (kd(2), (0,)), (PUSHED, (2,)), (kd(50), (2,))]
METHODS = ("normal", "kd", "pushed")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "results"
    write(made / "digits", TEACHER_SPEC)
    for spec, seeds in SEEDS:
        for seed in seeds:
            write(made / "digits", replace(spec, init_seed=seed))
    return made


@pytest.fixture
def uneven(root: Path) -> Study:
    return selection.load(ChapterParameters(output_dir=str(root / "digits"), methods=METHODS))


def test_a_label_that_seed_0_lacks_is_seen_over_seeds_and_not_in_front(uneven: Study) -> None:
    assert [run.label for run in uneven.students] == ["normal", "KD T=1", "KD T=2", "KD T=4"]
    of = {label: [run.spec.init_seed for run in runs] for label, runs in uneven.groups.items()}
    assert of == {"normal": [0, 1, 2], "KD T=1": [0, 2], "KD T=2": [0], "KD T=4": [0, 1, 2], PUSHED.label: [2]}
    assert [run.spec.init_seed for run in interventions.group(uneven, "pushed")] == [2]
    assert by_method.measured(uneven).loc["pushed", "seeds"] == 1
    assert PUSHED.label in r_over_seeds.measured({"digits": uneven})[0].labels


def test_a_hot_temperature_of_another_seed_is_drawn_with_what_that_seed_has(root: Path) -> None:
    found = variations.temperatures(StudiesParameters(profiles=("digits",), results_dir=str(root)))["digits"]
    assert found.places == ["1", "4", "50"] and {run.spec.init_seed for run in found.runs} == {2}


def test_labels_are_compared_on_the_seeds_that_all_of_them_have(uneven: Study) -> None:
    groups = uneven.groups
    two = over_seeds.common({label: groups[label] for label in ("normal", "KD T=1")})
    assert {label: [run.spec.init_seed for run in runs] for label, runs in two.items()} == {
        "normal": [0, 2],
        "KD T=1": [0, 2],
    }


def seeds_of(runs: Sequence[Run]) -> set[int]:
    return {run.spec.init_seed for run in runs}


def test_lines_and_superlatives_over_t_are_of_the_seeds_that_every_t_has(uneven: Study) -> None:
    """T = 2 was trained with seed 0 alone: so the line and the best are of seed 0, and dots of every seed."""
    values = {t: run.last("test_accuracy") for t, run in uneven.kd.items()}
    line, dots, *_ = accuracy.by_temperature(uneven).figure.data
    assert list(line.y) == rounded([*values.values()]) and len(dots.y) == 6
    assert "lines: seed 0" in accuracy.by_temperature(uneven).figure.layout.title.text
    assert accuracy.sentence(uneven).startswith(f"**None that can be told: T = {max(values, key=values.get):g} ")
    assert "n\u00a0=\u00a01" in accuracy.sentence(uneven)
    drawn = norms.draw(uneven)
    r = [correlations.r_after(run, uneven.warm_up) for run in uneven.kd.values()]
    assert list(drawn.data[0].y) == rounded(r) and len(drawn.data[1].y) == 6
    assert "(the paper: 4; 1 seed)" in norms.sentence(uneven) and "lines: seed 0" in drawn.layout.title.text


def test_a_best_temperature_takes_an_interval_that_leaves_out_zero(tmp_path: Path) -> None:
    for lead, best in (((0.1, 0.11, 0.12), True), ((0.1, -0.1, 0.03), False)):
        for seed, more in enumerate(lead):
            for t, value in ((1, 0.5), (4, 0.5 + more)):
                run = write(tmp_path / str(best), kd(t, init_seed=seed))
                run.history.assign(test_accuracy=value).to_parquet(run.path / "history.parquet")
        study = selection.load(ChapterParameters(output_dir=str(tmp_path / str(best))))
        assert accuracy.sentence(study).startswith("**T = 4 is best, " if best else "**None that can be told: T = 4 ")


def test_s13_asks_the_same_students_of_each_seed_that_counts(uneven: Study) -> None:
    """Seed 1 lacks T = 1: it does not count, and takes no student from those that do; T = 50 is not the paper's."""
    for spec in (kd(10), kd(10, init_seed=2), kd(50)):
        write(uneven.folder, spec)
    study = selection.load(ChapterParameters(output_dir=str(uneven.folder), temperatures=(1, 2, 4, 10, 50)))
    (s13,) = (one for one in STATEMENTS if one.id == "S13")
    judged = verdict(s13, study.seeds)
    assert judged.seeds == [0, 2]
    assert [share.of for share in judged.values["sign as ‖W_s‖ says"]] == [4, 4]  # whose interval is exact
    for place, seed in enumerate(judged.seeds):
        same = [run for run in study.every if run.spec.init_seed == seed and run.label not in ("KD T=2", "KD T=50")]
        assert len(same) == 4
        assert judged.values["gap"][place] == pytest.approx(correlation_norms.table(same)["gap"].median())


def test_how_mu_moves_is_told_over_the_seeds_that_those_have_who_are_compared(uneven: Study) -> None:
    text, by_label = over_epochs.answer(uneven), uneven.groups
    change = over_epochs.percent(np.mean([uneven.change("mu_raw", run) for run in by_label["KD T=4"]]))
    assert f"at T = 4 (μ changes by {change}, " in text and "; 3 seeds): claim C3 is" in text
    assert over_epochs.order(uneven).endswith(" (seed 0).**")


def test_a_claim_of_other_seeds_than_the_numbers_beside_it_names_its_own(uneven: Study) -> None:
    in_front = claim_words.found(uneven, "C3", uneven.students)
    assert in_front.endswith(" here (judged on seeds 0, 1 and 2)") or in_front.endswith(
        " too (judged on seeds 0, 1 and 2)"
    )
    assert "judged" not in claim_words.found(uneven, "C3", uneven.groups["KD T=4"])
