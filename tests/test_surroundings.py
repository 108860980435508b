"""On Colab what is meant for Google Drive goes there or is refused: its own disk is lost when it disconnects."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import tiny

from kdnb import __main__ as command_line
from kdnb import paths
from kdnb.analysis import selection
from kdnb.parameters import TeacherParameters
from kdnb.surroundings import lasting
from kdnb.sweep import configuration
from kdnb.train import study


@pytest.fixture(params=["notebook", "terminal"])
def colab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colab as a notebook sees it, and as ``!python -m kdnb`` does."""
    if request.param == "notebook":
        monkeypatch.setitem(sys.modules, "google.colab", object())
    else:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("drive/MyDrive/kdnb", "drive"),
        ("drive/My Drive", "drive"),
        ("elsewhere/Shareddrives/team/kdnb", "elsewhere"),
        ("/content/drive/MyDrive/kdnb", "/content/drive"),
        ("/content/drive/mistyped", "/content/drive"),
    ],
)
def test_a_drive_that_is_not_mounted_is_refused(name: str, where: str, colab: None, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"none is mounted at {tmp_path / where}, .* drive.mount"):
        lasting(tmp_path / name)


def test_nothing_is_made_where_the_drive_would_be(colab: None, tmp_path: Path) -> None:
    """Not by any way in: a folder in its place would hinder the mount as well."""
    drive = tmp_path / "drive" / "MyDrive"
    with pytest.raises(FileNotFoundError, match="on no Drive"):
        study.train_teacher(TeacherParameters(output_dir=str(drive / "runs"), limit=64))
    with pytest.raises(FileNotFoundError, match="on no Drive"):
        study.train_teacher(TeacherParameters(data_dir=str(drive / "data"), output_dir=str(tmp_path / "runs")))
    with pytest.raises(FileNotFoundError, match="on no Drive"):
        selection.load(selection.ChapterParameters(output_dir=str(drive / "runs")))
    assert command_line.main(["publish", "--profile", "digits", "--output", str(drive / "results")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_drive_is_one(colab: None, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(tmp_path / "drive" / "MyDrive")
    with pytest.raises(FileNotFoundError, match="on no Drive"):
        lasting(tmp_path / "mine" / "kdnb")


def test_a_mounted_drive_and_any_other_folder_are_taken(
    colab: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "drive")
    for folder in (tmp_path / "drive" / "MyDrive" / "kdnb", tmp_path / "runs", "runs"):
        assert lasting(folder) == Path(folder)


def test_a_teacher_table_stays_off_the_drive(
    colab: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is written in many pieces, and large; the runs it serves are kept on the Drive."""
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "drive")
    monkeypatch.setattr(paths, "root", lambda: tmp_path / "clone")
    drive = tmp_path / "drive" / "MyDrive" / "kdnb"
    given = tiny(drive, teachers_dir=str(tiny_folder), data_dir=str(tmp_path), methods=["kd"], temperatures=[4])
    (run,) = study.train_students(replace(given, teacher_outputs="table", epochs=1))
    assert [path.name for path in drive.iterdir()] == [run.path.name]
    assert len(list((tmp_path / "clone" / "runs").glob("table-*/logits.npy"))) == 1
    assert f"own disk, in {tmp_path / 'clone' / 'runs'}: another one makes it again" in capsys.readouterr().out


def test_elsewhere_a_name_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    assert lasting(tmp_path / "MyDrive" / "kdnb") == tmp_path / "MyDrive" / "kdnb"


def test_in_colab_what_trains_and_what_reads_stand_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All notebooks begin with one cell, which goes to the clone; runs are beside it, whoever asks."""
    monkeypatch.delenv("KDNB_RUNS", raising=False)
    (tmp_path / "kdnb").mkdir()
    (tmp_path / "_config.yml").touch()
    monkeypatch.chdir(tmp_path)
    assert study.folder(TeacherParameters()) == tmp_path / "runs" / "digits" == paths.runs("digits")


def test_a_tilde_is_the_home_folder_whoever_reads_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    """A shell leaves it in --output-dir=~/runs, and nobody reads it in YAML and notebooks: no folder ~ is made."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    given = tiny(Path("~/runs"), teachers_dir="~/teachers", methods=["normal"], epochs=1)
    assert (lasting("~/a"), lasting("a"), study.folder(given)) == (home / "a", Path("a"), home / "runs")
    (home / "teachers").symlink_to(tiny_folder)
    model = tiny_folder / "teacher-s0" / "model.safetensors"
    (home / "own.safetensors").symlink_to(model)
    for more in ({"seed": 1}, {"seed": 2, "teacher_weights": "~/own.safetensors"}):
        (run,) = study.train_students(replace(given, **more))
        assert run.path.parent == home / "runs"
    assert command_line.parse(["status", "digits", "--runs=~/runs"]).runs == home / "runs"  # type: ignore[union-attr]
    file = home / "own.yaml"
    file.write_text("profile: digits\nruns: ~/r\nteachers: []\nstudents: {a: {output_dir: ~/s, methods: [normal]}}")
    folders = configuration.read("~/own.yaml").folders()
    assert folders == {"teachers": [], "a": [home / "s" / "normal-wd0.0005-s0"]}
    assert configuration.read("~/own.yaml").runs == home / "r" / "digits"
    monkeypatch.setenv("KDNB_RUNS", "~/all")
    assert paths.runs("digits") == home / "all" / "digits"
    assert list(here.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "file/runs"):
        with pytest.raises(NotADirectoryError, match=r"is no folder: .*/file is a file. Name a folder\."):
            lasting(tmp_path / name)
