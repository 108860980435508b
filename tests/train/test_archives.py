"""A run as one file: whole or not at all, back as it was, and over nothing else."""

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import same

from kdnb import runs
from kdnb.__main__ import main
from kdnb.runs import Run
from kdnb.train.archives import pack, unpack

NAME = "kd-T4-a0.9-wd0.0005-s0"


@pytest.fixture
def archive(tiny_folder: Path, tmp_path: Path) -> Path:
    pack(tiny_folder / NAME, tmp_path / f"{NAME}.tar")
    return tmp_path / f"{NAME}.tar"


def test_there_and_back(tiny_folder: Path, archive: Path, tmp_path: Path) -> None:
    run = unpack(archive, tmp_path / "new")
    assert run.path == tmp_path / "new" / NAME and run.tidy
    same(run, Run(tiny_folder / NAME))
    assert {file.name for file in run.path.iterdir()} == {file.name for file in (tiny_folder / NAME).iterdir()}


def test_the_command_line(tiny_folder: Path, tmp_path: Path) -> None:
    names = [NAME, "teacher-s0"]
    packed = [str(tmp_path / NAME), str(tmp_path / "teacher-s0.tar")]  # a run's name has dots of its own
    assert main(["pack", str(tiny_folder), "--archives", *packed]) == 0
    assert main(["unpack", str(tmp_path / "new"), "--archives", *packed]) == 0
    assert sorted(run.path.name for run in runs.find(tmp_path / "new")) == names


def test_a_published_run_is_packed_without_what_is_large(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder / NAME, tmp_path / NAME)
    (tmp_path / NAME / "model.safetensors").unlink()
    (tmp_path / NAME / "published.json").write_text("{}")
    pack(tmp_path / NAME, tmp_path / "a.tar")
    for _ in range(2):
        assert unpack(tmp_path / "a.tar", tmp_path / "new").tidy


def test_a_run_of_links_is_packed_with_what_they_lead_to(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    for file in (tiny_folder / NAME).iterdir():
        (tmp_path / NAME / file.name).symlink_to(file)
    pack(tmp_path / NAME, tmp_path / "a.tar")
    same(unpack(tmp_path / "a.tar", tmp_path / "new"), Run(tiny_folder / NAME))


def test_what_a_kill_left_half_written_is_not_packed(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder / NAME, tmp_path / NAME)
    (tmp_path / NAME / ".provenance.json.99999.tmp").write_bytes(b"half")
    pack(tmp_path / NAME, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert not [name for name in tar.getnames() if "tmp" in name]


def test_an_unfinished_run_is_not_packed(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder / NAME, tmp_path / NAME)
    (tmp_path / NAME / "history.parquet").unlink()
    with pytest.raises(ValueError, match="no finished run"):
        pack(tmp_path / NAME, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


def test_a_run_that_is_there_stays_and_is_marked_anew(archive: Path, tmp_path: Path) -> None:
    run = unpack(archive, tmp_path)
    os.utime(run.path / "finished", (0, 0))
    before = {file.name: file.stat().st_mtime_ns for file in run.path.iterdir()}
    unpack(archive, tmp_path)
    after = {file.name: file.stat().st_mtime_ns for file in run.path.iterdir()}
    assert [name for name in before if after[name] != before[name]] == ["finished"]


def test_a_half_trained_run_is_taken_up_by_the_finished_one(tiny_folder: Path, archive: Path, tmp_path: Path) -> None:
    place = tmp_path / NAME
    shutil.copytree(tiny_folder / NAME, place)
    for name in ("history.parquet", "finished"):
        (place / name).unlink()
    (place / "model.safetensors").rename(place / "checkpoint.safetensors")
    same(unpack(archive, tmp_path), Run(tiny_folder / NAME))
    assert not (place / "checkpoint.safetensors").exists()


def test_a_killed_unpacking_is_taken_up(tiny_folder: Path, archive: Path, tmp_path: Path) -> None:
    rest = tmp_path / NAME / ".unpacked" / NAME
    rest.mkdir(parents=True)
    (rest / "history.parquet").write_bytes(b"half")
    assert runs.find(tmp_path) == []
    same(unpack(archive, tmp_path), Run(tiny_folder / NAME))
    assert not rest.exists()


def test_another_result_is_not_overwritten(tiny_folder: Path, archive: Path, tmp_path: Path) -> None:
    run = unpack(archive, tmp_path)
    other = (tiny_folder / "normal-wd0.0005-s0" / "history.parquet").read_bytes()
    (run.path / "history.parquet").write_bytes(other)
    (run.path / "model.safetensors").unlink()
    before = sorted(run.path.iterdir())
    said = r"another result of this run \(history.parquet, model.safetensors\).*Nothing was overwritten"
    with pytest.raises(ValueError, match=said):
        unpack(archive, tmp_path)
    assert (run.path / "history.parquet").read_bytes() == other and sorted(run.path.iterdir()) == before


@pytest.mark.parametrize("lost", ["model.safetensors", "classifier.safetensors", "spec.json"])
def test_an_archive_without_a_part_of_the_run_is_refused(archive: Path, tmp_path: Path, lost: str) -> None:
    run = unpack(archive, tmp_path / "whole")
    (run.path / lost).unlink()
    with tarfile.open(tmp_path / "part.tar", "w") as tar:
        for file in run.path.iterdir():
            tar.add(file, f"{NAME}/{file.name}")
    for folder in ("whole", "new"):
        with pytest.raises(ValueError, match=rf"part.tar holds no finished run, or more than one \(no {lost}\)"):
            unpack(tmp_path / "part.tar", tmp_path / folder)
    assert not (tmp_path / "new" / NAME).exists() and not (run.path / ".unpacked").exists()


def test_another_spec_is_not_overwritten(tiny_folder: Path, archive: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder / "normal-wd0.0005-s0", tmp_path / NAME)
    with pytest.raises(ValueError, match="results of another spec"):
        unpack(archive, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_a_damaged_archive_is_refused_and_leaves_no_run(archive: Path, tmp_path: Path, share: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"{NAME}.tar"):
        unpack(archive, tmp_path)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    "names", [[f"../{NAME}/history.parquet"], ["../history.parquet"], ["history.parquet"], ["a/history.parquet", "b/x"]]
)
def test_what_is_no_run_is_refused(tmp_path: Path, names: list[str]) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ValueError, match=r"odd.tar"):
        unpack(tmp_path / "odd.tar", tmp_path / "new")
    assert not list(tmp_path.glob("new/*/history.parquet"))
