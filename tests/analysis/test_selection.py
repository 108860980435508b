"""Which runs a chapter is drawn from, and what is said where there are none."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up import SPEC, kd, lasting, store, write

from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.parameters import read

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


def test_students_come_in_the_order_of_the_paper_and_the_teacher_is_found_by_its_weights(study: Study) -> None:
    labels = [run.label for run in study.students]
    assert labels == ["normal", "KD T=1", "KD T=4", "KD T=10", "DIST", "MSE"]
    assert (study.warm_up, study.hottest) == (12, 10)
    assert study.teacher is not None and study.teacher.label == "teacher"


def test_another_networks_teacher_is_not_taken_for_theirs(tmp_path: Path) -> None:
    other = store(tmp_path, [replace(SPEC, teacher={"model": "resnet20", "checksum": "another"})])
    assert other.teacher is None


def test_an_empty_folder_says_how_to_make_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make study"):
        selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_another_seed_or_alpha_is_left_out_and_named_when_nothing_is_left(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, replace(SPEC, init_seed=1)])
    assert len(selection.load(ChapterParameters(output_dir=str(tmp_path))).students) == 1
    with pytest.raises(FileNotFoundError, match="seed 2.*normal-wd0.0005-s0"):
        selection.load(ChapterParameters(output_dir=str(tmp_path), seed=2))


def test_a_warm_up_that_leaves_nothing_and_runs_of_unequal_length_are_refused(tmp_path: Path) -> None:
    store(tmp_path, [SPEC])
    with pytest.raises(ValueError, match="warm_up is 24.*24 epochs"):
        selection.load(ChapterParameters(output_dir=str(tmp_path), warm_up=24))
    write(tmp_path, lasting(kd(4), 6))
    with pytest.raises(ValueError, match=r"differ in their epochs \(normal.* has 24, kd.* has 6\)"):
        selection.load(ChapterParameters(output_dir=str(tmp_path)))


def test_a_mistyped_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup"):
        read({"profile": "digits", "warmup": 3}, ChapterParameters)


def test_published_runs_are_taken_where_they_have_more_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"runs": tmp_path / "runs", "results": tmp_path / "results"}
    store(folders["runs"], [SPEC])
    store(folders["results"], [replace(SPEC, init_seed=seed) for seed in (0, 1)])
    for name, folder in folders.items():
        monkeypatch.setattr(selection.paths, name, lambda _, folder=folder: folder)
    assert selection.best(ChapterParameters()).folder == folders["results"]
    assert selection.best(ChapterParameters(output_dir=str(folders["runs"]))).folder == folders["runs"]
    write(folders["runs"], replace(SPEC, init_seed=1))
    assert selection.best(ChapterParameters()).folder == folders["runs"]


def test_published_studies_of_other_names_stand_beside_the_one_that_is_drawn() -> None:
    for weight_decay, names in ((5e-4, ["digits-few", "cifar100-small"]), (0, [])):
        chosen = ChapterParameters(output_dir=str(RESULTS / "digits"), weight_decay=weight_decay)
        beside = selection.beside(selection.load(chosen), chosen)
        assert [one.name for one in beside] == names
        assert all(run.spec.weight_decay == weight_decay for one in beside for run in one.every)
