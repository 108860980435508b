"""The teacher table's files: killed, shared, damaged, of another table, on a full disk; nothing is lost or mistaken."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from made_up_table import CHUNKS, IMAGES, VIEWS, build, contents, file, start

from kdnb.train import teacher_table, teacher_table_files


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_table, "CHUNK_PASSES", 2 * VIEWS)


@pytest.mark.parametrize(("at", "recorded"), [(1, 0), (6, 2)])
def test_killed_and_completed_equals_uninterrupted(tmp_path: Path, at: int, recorded: int) -> None:
    process = start(f"build_and_die({str(tmp_path / 'killed')!r}, {at})")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert build(tmp_path / "killed")[1] == (CHUNKS - recorded) * 2 * VIEWS
    build(tmp_path / "whole")
    killed, whole = (contents(tmp_path / name, "logits.npy", "table.json") for name in ("killed", "whole"))
    assert killed == whole


def test_of_two_jobs_at_once_one_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is started while the first has a chunk to write, which it does once the second says that it waits."""
    write, second, heard = teacher_table_files.Store.write, list["subprocess.Popen[str]"](), list[str]()

    def when_the_second_waits(*arguments: Any) -> None:
        if not second:
            second.append(start(f"build_and_count({str(tmp_path)!r})"))
            assert second[0].stdout is not None
            heard.append(second[0].stdout.readline())
        write(*arguments)

    monkeypatch.setattr(teacher_table_files.Store, "write", when_the_second_waits)
    assert build(tmp_path)[1] == IMAGES * VIEWS
    assert "another job is at work on this teacher table; waiting" in heard[0]
    assert second[0].communicate()[0].split() == ["computed", "0"] and second[0].returncode == 0


@pytest.mark.parametrize(
    ("damage", "chunks"),
    [
        (lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:], [0]),  # in the header
        (lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:], [2]),
        (lambda content: content[:-1], [5]),
        (lambda content: content[:600], [2, 3, 4, 5]),
        (lambda content: b"", list(range(CHUNKS))),
    ],
)
def test_damaged_chunks_alone_are_computed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any, chunks: list[int]
) -> None:
    build(tmp_path, features=True)
    whole = contents(tmp_path, "logits.npy", "features.npy", "table.json")
    path = file(tmp_path, "logits.npy")
    path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()
    assert build(tmp_path, features=True)[1] == len(chunks) * 2 * VIEWS
    said = capsys.readouterr().out
    assert f"logits.npy is damaged: of 6 chunks, {', '.join(map(str, chunks))} computed again" in said
    assert "features.npy is damaged" not in said
    assert contents(tmp_path, "logits.npy", "features.npy", "table.json") == whole


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("teacher", {"model": "resnet8", "checksum": "0" * 64}),
        ("data_checksum", "0" * 64),
        ("precision", "bf16"),
        ("format", teacher_table.FORMAT + 1),
        ("views", 10),
        ("classes", 6),
        ("width", 65),
        ("chunk_images", 3),
    ],
)
def test_another_table_is_refused_by_name_and_kept(tmp_path: Path, field: str, other: object) -> None:
    build(tmp_path)
    record = file(tmp_path, "table.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {field: other}))
    before = contents(tmp_path, "logits.npy", "table.json")
    with pytest.raises(ValueError, match=rf"holds another teacher table \({field}: there .*move .*table-.* away.*live"):
        build(tmp_path)
    assert contents(tmp_path, "logits.npy", "table.json") == before


@pytest.mark.parametrize("text", ["", '{"format": 1', "[]", "{}", '{"checksums": {"logits": 3}}', "\0"])
def test_an_unreadable_record_is_refused_by_name_and_kept(tmp_path: Path, text: str) -> None:
    build(tmp_path)
    file(tmp_path, "table.json").write_text(text)
    with pytest.raises(ValueError, match=r"table.json cannot be read: .*move .* away.*live"):
        build(tmp_path)
    assert file(tmp_path, "table.json").read_text() == text


def test_a_disk_too_small_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OSError, match=r"needs 0.0 MB more, and 0.0 MB are free: .*teacher_outputs='live'"):
        build(tmp_path)
    assert not list(tmp_path.glob("*/*.npy"))


def test_a_disk_that_fills_up_leaves_what_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def fsync(descriptor: int) -> None:
        seen.append(descriptor)
        if len(seen) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"could not write .*logits.npy: .*No space left.*kept; make room.*live"):
        build(tmp_path)
    assert build(tmp_path)[1] == (CHUNKS - 2) * 2 * VIEWS


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=r"lock cannot be locked: .*not implemented.*live"):
        build(tmp_path)
