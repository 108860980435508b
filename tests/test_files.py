"""Atomic files: what a failure of writing says."""

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from kdnb import files

CASES: list[tuple[Exception, str]] = [
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "make room, then run again"),
    (SafetensorError("I/O error: No space left on device (os error 28)"), "make room, then run again"),
    (SafetensorError("I/O error: Permission denied (os error 13)"), "choose a folder that you may write to"),
    (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), "choose a folder that you may write to"),
    (OSError(errno.EROFS, os.strerror(errno.EROFS)), "choose a folder that you may write to"),
    (IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), "choose another folder, or move away"),
    (OSError(errno.EIO, os.strerror(errno.EIO)), "see to that, then run again"),
]


@pytest.mark.parametrize(("error", "way_out"), CASES)
def test_a_failure_of_writing_names_the_way_out_that_fits(error: Exception, way_out: str, tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise error

    with pytest.raises(OSError, match=f"could not write .*kept.json: .* untouched; {way_out}") as refusal:
        files.write_atomically(tmp_path / "kept.json", fail)
    assert ("make room" in str(refusal.value)) == ("No space" in str(error))


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    for file in ("runs/spec.json", "runs/teacher-s0/spec.json"):
        with pytest.raises(OSError, match="could not write .*choose another folder, or move away"):
            files.write_json(tmp_path / file, {})


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_a_file_may_be_read_by_whom_the_processs_files_may_be(umask: int, tmp_path: Path) -> None:
    """Students of a group read one teacher: safetensors alone would write it for its owner."""
    before = os.umask(umask)
    try:
        (tmp_path / "plain").touch()
        files.write_tensors(tmp_path / "tensors", {"w": torch.zeros(2)}, {})
        files.write_json(tmp_path / "words", {})
    finally:
        os.umask(before)
    assert len({file.stat().st_mode for file in tmp_path.iterdir()}) == 1
