"""A study whose seeds differ in their students: every student is seen, and what is compared is of the same seeds."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up import SPEC, TEACHER_SPEC, kd, write

from kdnb.analysis import by_method, interventions, over_seeds, r_over_seeds, selection, variations
from kdnb.analysis.selection import ChapterParameters, StudiesParameters
from kdnb.analysis.study import Study

PUSHED = replace(kd(4), method="pushed")
SEEDS = [(SPEC, (0, 1, 2)), (kd(4), (0, 1, 2)), (kd(1), (0, 2)), (kd(2), (0,)), (PUSHED, (2,)), (kd(50), (2,))]
METHODS = ("normal", "kd", "pushed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("results")
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
    of = {label: [run.spec.init_seed for run in runs] for label, runs in over_seeds.groups(uneven).items()}
    assert of == {"normal": [0, 1, 2], "KD T=1": [0, 2], "KD T=2": [0], "KD T=4": [0, 1, 2], PUSHED.label: [2]}
    assert [run.spec.init_seed for run in interventions.group(uneven, "pushed")] == [2]
    assert by_method.measured(uneven).loc["pushed", "seeds"] == 1
    assert PUSHED.label in r_over_seeds.measured({"digits": uneven})[0].labels


def test_a_hot_temperature_of_another_seed_is_drawn_with_what_that_seed_has(root: Path) -> None:
    found = variations.temperatures(StudiesParameters(profiles=("digits",), results_dir=str(root)))["digits"]
    assert found.places == ["1", "4", "50"] and {run.spec.init_seed for run in found.runs} == {2}


def test_labels_are_compared_on_the_seeds_that_all_of_them_have(uneven: Study) -> None:
    groups = over_seeds.groups(uneven)
    two = over_seeds.common({label: groups[label] for label in ("normal", "KD T=1")})
    assert {label: [run.spec.init_seed for run in runs] for label, runs in two.items()} == {
        "normal": [0, 2],
        "KD T=1": [0, 2],
    }
