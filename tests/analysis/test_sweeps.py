"""Runs of several experiments share a folder: each chapter, and the claims, take those that they are about."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up import SPEC, kd, lasting, store, write

from kdnb import profiles, runs
from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters, ClaimsParameters, PaperParameters, StudiesParameters
from kdnb.analysis.students import Missing, of_each_seed
from kdnb.claims import paper
from kdnb.claims import studies as claims_of
from kdnb.parameters import StudentParameters
from kdnb.runs import RunSpec
from kdnb.train import study

EARLY = (12, 15, 18, 21)  # another schedule for 24 epochs
MIXED = [SPEC, kd(4), kd(20), replace(SPEC, drops=EARLY), kd(4, drops=EARLY), kd(4, drops=()), kd(1, drops=())]


def names(**chosen: object) -> list[str]:
    return [run.path.name for run in selection.load(ChapterParameters(**chosen)).every]  # type: ignore[arg-type]


def test_the_papers_schedule_has_no_word_in_a_runs_name_and_another_has() -> None:
    assert SPEC.drops == profiles.scaled_drops(SPEC.epochs)
    assert SPEC.name == "normal-wd0.0005-s0"
    assert replace(SPEC, drops=EARLY).name == "normal-wd0.0005-drops12.15.18.21-s0"
    assert replace(SPEC, drops=()).name == "normal-wd0.0005-nodrops-s0"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "normal-wd0.0005-s0"),
        ({"drops": [150, 180, 210]}, "normal-wd0.0005-s0"),
        ({"drops": [120, 150, 180, 210]}, "normal-wd0.0005-drops120.150.180.210-s0"),
        ({"drops": []}, "normal-wd0.0005-nodrops-s0"),
        ({"epochs": 24, "drops": [20, 22]}, "normal-wd0.0005-drops20.22-s0"),
    ],
)
def test_a_workflow_waits_for_the_name_that_the_run_will_have(given: dict[str, object], name: str) -> None:
    parameters = StudentParameters(methods=["normal"], **given)  # type: ignore[arg-type]
    assert study.student_names(parameters) == [name]


def test_a_chapter_shows_the_papers_temperatures_and_schedule_unless_asked_for_others(tmp_path: Path) -> None:
    folder = str(store(tmp_path, MIXED).folder)
    assert names(output_dir=folder) == ["kd-T4-a0.9-wd0.0005-s0", "normal-wd0.0005-s0"]
    assert names(output_dir=folder, temperatures=[4, 20], methods=["kd"]) == [
        "kd-T4-a0.9-wd0.0005-s0",
        "kd-T20-a0.9-wd0.0005-s0",
    ]
    assert len(names(output_dir=str(store(tmp_path / "odd", [kd(7.5), kd(10.5)]).folder))) == 1
    early = names(output_dir=folder, drops=list(EARLY))
    assert early == ["kd-T4-a0.9-wd0.0005-drops12.15.18.21-s0", "normal-wd0.0005-drops12.15.18.21-s0"]
    assert names(output_dir=folder, drops=[]) == [f"kd-T{t}-a0.9-wd0.0005-nodrops-s0" for t in (1, 4)]
    assert names(output_dir=folder, drops=list(SPEC.drops)) == names(output_dir=folder)


def test_claims_are_judged_on_the_papers_temperatures_and_schedule(tmp_path: Path) -> None:
    sweep = [kd(t) for t in (1, 2, 4, 6, 10)]
    store(tmp_path / "own", [SPEC, *sweep])
    expected = paper.judge(selection.sweep(tmp_path / "own", ChapterParameters()))
    store(tmp_path / "mixed", [SPEC, *sweep, kd(20), kd(50), kd(4, drops=EARLY), kd(4, drops=()), kd(9, drops=())])
    (found,) = claims_of.judged(
        ClaimsParameters(output_dir=str(tmp_path / "mixed"), results_dir=str(tmp_path / "none"))
    )
    assert [one.evidence for one in found.verdicts] == [one.evidence for one in expected]
    assert list(of_each_seed(runs.find(tmp_path / "mixed"))[0].papers_kd)[-1] == 10


def test_who_stands_for_a_study_is_kd_nearest_to_the_papers_peak_or_who_is_there(tmp_path: Path) -> None:
    mse = replace(SPEC, method="mse", method_parameters={"alpha": 0.9})
    for name, specs, one, pair in (
        ("whole", [SPEC, kd(1), kd(4), kd(10)], "KD T=4", ["KD T=4", "normal"]),
        ("few", [SPEC, kd(1), kd(6)], "KD T=6", ["KD T=6", "normal"]),
        ("without KD", [SPEC, mse], "normal", ["normal"]),
        ("neither", [mse], "MSE", ["MSE"]),
    ):
        found = store(tmp_path / name, specs)
        assert found.leading.label == one
        assert [run.label for run in found.leading_pair] == pair


def test_studies_are_read_side_by_side_with_all_methods(tmp_path: Path) -> None:
    store(tmp_path / "digits", [SPEC, kd(4), replace(SPEC, method="at", method_parameters={"weight": 1000.0})])
    store(tmp_path / "cifar100-small", [SPEC])
    studies = StudiesParameters(results_dir=str(tmp_path)).studies()
    assert {name: [run.label for run in found.students] for name, found in studies.items()} == {
        "digits": ["normal", "KD T=4", "AT"],
        "cifar100-small": ["normal"],
    }
    with pytest.raises(ValueError, match="profile 'digit'"):
        StudiesParameters(profiles=["digit"])


def test_a_study_looks_students_up_and_each_seed_of_it_has_its_alpha_in_front(tmp_path: Path) -> None:
    half = replace(kd(4), method_parameters={"temperature": 4.0, "alpha": 0.5})
    folder = store(tmp_path, [SPEC, kd(4), half, replace(half, init_seed=1), kd(4, init_seed=2)]).folder
    study = selection.load(ChapterParameters(output_dir=str(folder), alpha=0.5))
    assert study.kd_at(4).spec == half and study.normal().spec == SPEC
    assert list(study.by_alpha(4)) == [0.5, 0.9]
    with pytest.raises(Missing, match="KD at T=2, alpha 0.5"):
        study.kd_at(2)
    with pytest.raises(Missing, match="method 'frozen'"):
        study.of("frozen")
    seeds = {one.seed: one for one in study.seeds}
    assert {seed: [run.label for run in one.students] for seed, one in seeds.items()} == {
        0: ["normal", "KD T=4"],
        1: ["KD T=4"],
        2: [],
    }
    papers = of_each_seed(study.every)
    assert [[run.label for run in one.students] for one in papers] == [["normal", "KD T=4"], [], ["KD T=4"]]
    assert (seeds[0].kd_at(4).spec, papers[0].kd_at(4).spec) == (half, kd(4))
    assert (seeds[2].name, seeds[2].folder) == (study.name, folder)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.5},
        {"batch_size": 8},
        {"nesterov": False},
        {"momentum": 0.5},
        {"data_checksum": "of a part"},
        {"precision": "bf16"},
        {"matched_accuracy": 0.5},
    ],
)
def test_a_seed_of_another_recipe_is_no_further_seed(change: dict[str, object], tmp_path: Path) -> None:
    odd = replace(SPEC, init_seed=2, **change)  # type: ignore[arg-type]
    study = store(tmp_path, [SPEC, replace(SPEC, init_seed=1), odd])
    assert [run.spec.init_seed for run in study.by_seeds["normal"]] == [0, 1]
    assert [one.seed for one in study.seeds] == [one.seed for one in of_each_seed(study.every)] == [0, 1]
    assert [run.spec.init_seed for run in study.every] == [0, 1]


def test_students_of_another_length_are_in_no_number_of_a_chapter(tmp_path: Path) -> None:
    """By their names they are further seeds, and further alphas."""
    half = replace(kd(4), method_parameters={"temperature": 4.0, "alpha": 0.5})
    short = [replace(lasting(spec, 6), init_seed=seed) for spec in (kd(4), half) for seed in (1, 2)]
    study = store(tmp_path, [SPEC, kd(4), *short])
    assert [run.spec for run in study.every] == [kd(4), SPEC]


def test_seeds_may_differ_in_teachers_and_in_whether_those_answered_from_a_table(tmp_path: Path) -> None:
    other = {"model": "resnet20", "checksum": "2"}
    free = replace(SPEC, order_seed=1, view_seed=1, teacher=other, bystander=None, teacher_outputs="table")
    study = store(tmp_path, [SPEC, replace(free, init_seed=1)])
    assert [run.spec.init_seed for run in study.by_seeds["normal"]] == [0, 1]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """One's own digits, and the published ones, which are normal training and KD at T = 4."""
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("kdnb.paths.results", lambda name: tmp_path / "results" / name)
    store(tmp_path / "results" / "digits", [SPEC, kd(4)])
    return tmp_path / "runs" / "digits", tmp_path / "results" / "digits"


HALF = replace(kd(4), method_parameters={"temperature": 4.0, "alpha": 0.5})
FROZEN = replace(kd(4), method="frozen")


@pytest.mark.parametrize("alone", [HALF, FROZEN], ids=["of another alpha", "of another method"])
def test_a_student_of_ones_own_that_is_not_asked_for_hides_no_published_ones(
    alone: RunSpec, places: tuple[Path, Path]
) -> None:
    own, kept = places
    write(own, alone)
    assert [study.folder for study in PaperParameters(profiles=("digits",)).studies()] == [kept]
    assert selection.load(ChapterParameters(methods=("normal", "kd"))).folder == kept
    with pytest.raises(FileNotFoundError, match="seed 3.* Train them"):
        PaperParameters(profiles=("digits",), seed=3).studies()


@pytest.mark.parametrize(
    "change", [{"dataset": "folder"}, {"data_checksum": "mine"}, {"model": "resnet14"}, {"epochs": 12}]
)
def test_published_runs_never_stand_for_those_of_other_data_or_networks(
    change: dict[str, object], places: tuple[Path, Path]
) -> None:
    """The book of one's own pictures was of scikit-learn's digits, which have more seeds."""
    own, kept = places
    for spec in (SPEC, kd(4)):
        write(kept, replace(spec, init_seed=1))
        changed = replace(spec, **change)  # type: ignore[arg-type]
        write(own, lasting(changed, changed.epochs))
    assert [study.folder for study in PaperParameters(profiles=("digits",)).studies()] == [own]
    assert selection.best(ChapterParameters()).folder == own


def test_a_student_that_is_not_asked_for_hides_no_study_farther_from_the_papers(
    tmp_path: Path, places: tuple[Path, Path]
) -> None:
    write(tmp_path / "runs" / "cifar100", replace(FROZEN, dataset="cifar100"))
    store(tmp_path / "results" / "cifar100-small", [replace(spec, dataset="cifar100") for spec in (SPEC, kd(4))])
    (found,) = PaperParameters(profiles=("cifar100",)).studies()
    assert found.folder == tmp_path / "results" / "cifar100-small"


@pytest.mark.parametrize(
    "change", [{"model": "resnet14"}, {"dataset": "cifar10"}, {"data_checksum": "of a part"}, {"epochs": 12}]
)
def test_a_chapter_refuses_students_that_no_figure_could_tell_apart(change: dict[str, object], tmp_path: Path) -> None:
    odd = replace(kd(4), **change)  # type: ignore[arg-type]
    odd = lasting(odd, odd.epochs)
    with pytest.raises(ValueError, match=rf"differ in their {next(iter(change))} \({SPEC.name} has .*, {odd.name} has"):
        store(tmp_path, [SPEC, odd])
    assert selection.load(ChapterParameters(output_dir=str(tmp_path), methods=("kd",))).students[0].spec == odd
