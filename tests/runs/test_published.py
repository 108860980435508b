"""Published runs where none of one's own are: chapters read them and say so, training reads them or refuses."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import tiny
from made_up import SPEC, kd, store, write

from kdnb import runs
from kdnb.analysis import maps, selection
from kdnb.analysis.selection import ChapterParameters, MapParameters, StudiesParameters
from kdnb.parameters import TeacherParameters
from kdnb.train import study

EVERY = {"methods": ["normal", "kd", "dist", "mse"]}


@pytest.fixture(scope="module")
def root(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with published digits and no runs."""
    folder = tmp_path_factory.mktemp("root")
    shutil.copytree(published, folder / "results" / "digits")
    return folder


@pytest.fixture(autouse=True)
def at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_ROOT", str(root))
    monkeypatch.delenv("KDNB_RUNS", raising=False)


def contents(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*")}


# ---------------------------------------------------------------------------------------------------------- chapters
def test_without_runs_a_chapter_reads_the_published_ones_and_says_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = selection.load(ChapterParameters())
    assert found.folder == root / "results" / "digits" and len(found.students) == 5
    assert capsys.readouterr().out == (
        f"Read from {found.folder}: 5 students, published runs, trained once and kept with the repository.\n"
    )


def test_what_was_left_out_of_a_publication_is_said_and_nothing_called_damaged(root: Path) -> None:
    """Who moves such a folder away, as one is told of damaged ones, loses a result."""
    place = root / "results" / "digits"
    student, bystander = runs.load(place / kd(4).name), runs.load(place / "teacher-s1")
    for run, asked in ((student, student.weights), (bystander, lambda: bystander.row_distances(student))):
        with pytest.raises(FileNotFoundError, match=f"{run.path} was published without its .*; name the folder of the"):
            asked()
    with pytest.raises(ValueError, match="unknown snapshot 'fianl'; known: final, matched. Did you mean 'final'"):
        student.class_means("fianl")  # type: ignore[arg-type]


def test_a_profile_that_is_not_published_is_named_with_the_way_out(root: Path) -> None:
    asked = StudiesParameters(profiles=("cifar100",))
    with pytest.raises(FileNotFoundError, match="cifar100 holds no published study: .*kdnb publish --profile cifar100"):
        asked.studies()
    assert not asked.present(["cifar100"])


def test_ones_own_runs_come_first_and_a_folder_that_is_named_comes_before_all(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDNB_RUNS", str(tmp_path))
    begun = tmp_path / "digits" / SPEC.name
    runs.Run.open(tmp_path / "digits", SPEC)
    assert begun.exists() and selection.load(ChapterParameters()).folder == root / "results" / "digits"
    capsys.readouterr()
    store(tmp_path / "digits", [SPEC, kd(4)])
    assert selection.load(ChapterParameters()).folder == tmp_path / "digits"
    named = str(root / "results" / "digits")
    assert str(selection.load(ChapterParameters(output_dir=named)).folder) == named
    assert capsys.readouterr().out == ""


def test_a_named_folder_is_never_replaced_and_with_neither_the_chapter_says_how_to_train(tmp_path: Path) -> None:
    for chosen in (ChapterParameters(output_dir=str(tmp_path)), ChapterParameters(profile="cifar100")):
        with pytest.raises(FileNotFoundError, match=r"holds no finished students .* Train them with"):
            selection.load(chosen)


def test_two_weight_decays_in_a_folder_are_kept_apart(tmp_path: Path) -> None:
    made = store(tmp_path, [SPEC, kd(4)])
    for spec in (replace(SPEC, weight_decay=0.0), kd(4, weight_decay=0.0), kd(4, weight_decay=0.0, init_seed=1)):
        write(tmp_path, spec)
    again, without = (selection.load(ChapterParameters(output_dir=str(tmp_path), weight_decay=w)) for w in (5e-4, 0))
    assert [run.path for run in again.every] == [run.path for run in made.every]
    assert {run.spec.weight_decay for run in without.every} == {0} and len(without.every) == 3


def test_maps_are_the_published_ones_and_others_are_refused_by_name(tiny_folder: Path) -> None:
    found = selection.load(ChapterParameters())
    spaces = maps.spaces(found, "test", "final")
    drawn = maps.maps(spaces, MapParameters())
    assert {label: points.shape for label, points in drawn.items()} == dict.fromkeys(drawn, (128, 2))
    with pytest.raises(ValueError, match="perplexity is 10.*was published with 30"):
        maps.maps(spaces, MapParameters(perplexity=10.0))
    with pytest.raises(ValueError, match="published with its test images alone, and images is 'train'"):
        maps.spaces(found, "train", "matched")


def test_full_runs_among_published_ones_are_not_left_out_of_a_map_unsaid(
    published: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    full = tiny_folder / "kd-T1-a0.9-wd0.0005-s0"
    shutil.copytree(published, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(full.name))
    shutil.copytree(full, tmp_path / full.name)
    spaces = maps.spaces(selection.load(ChapterParameters(output_dir=str(tmp_path))), "test", "final")
    with pytest.raises(
        ValueError, match=r"holds full runs \(KD T=1\) beside published ones \(normal, KD T=4, .*teacher"
    ):
        maps.maps(spaces, MapParameters())


# ---------------------------------------------------------------------------------------------------------- training
def test_what_was_published_is_returned_and_nothing_is_trained(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "results" / "digits"
    before = contents(folder)
    students = study.train_students(tiny(folder, **EVERY))
    assert [run.label for run in students] == ["normal", "KD T=1", "KD T=4", "DIST", "MSE"]
    assert all(run.finished and run.is_published for run in students)
    assert f"In {folder} 5 runs were published: nothing is trained." in capsys.readouterr().out
    assert contents(folder) == before


@pytest.mark.parametrize("seed", [0, 1])
def test_a_published_teacher_is_returned(root: Path, seed: int) -> None:
    given = {"limit": 128, "epochs": 3, "teacher_model": "resnet8", "device": "cpu"}
    run = study.train_teacher(TeacherParameters(output_dir=str(root / "results" / "digits"), seed=seed, **given))
    assert run.path.name == f"teacher-s{seed}" and run.is_published


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures": [1, 4, 7]}, r"without kd-T7-a0.9-wd0.0005-s0, and nothing can be trained on there: choose"),
        ({"seed": 3, "methods": ["normal"]}, r"without normal-wd0.0005-s3"),
        ({"teacher_seed": 7}, r"without teacher-s7"),
        ({"epochs": 4}, r"results of another spec \(epochs: there 3, asked 4"),
        ({"teacher_seed": 1, "bystander_seed": 0}, r"another spec \(teacher: there"),
        ({"bystander_seed": None}, r"another spec \(bystander: there .* asked None"),
    ],
)
def test_what_was_not_published_is_refused_and_nothing_is_written(
    root: Path, changes: dict[str, object], message: str
) -> None:
    folder = root / "results" / "digits"
    before = contents(folder)
    with pytest.raises(ValueError, match=message):
        study.train_students(tiny(folder, **changes))
    assert contents(folder) == before


def test_a_teacher_of_ones_own_is_not_the_published_students(root: Path, tiny_folder: Path) -> None:
    folder, weights = root / "results" / "digits", {"teacher_seed": 7}
    mine = tiny_folder / "teacher-s0" / "model.safetensors"
    assert len(study.train_students(tiny(folder, teacher_weights=str(mine), **weights))) == 3  # the very same
    other = tiny_folder / "teacher-s1" / "model.safetensors"
    with pytest.raises(ValueError, match="another spec .teacher"):
        study.train_students(tiny(folder, teacher_weights=str(other), **weights))
