"""How a teacher table lies on the disk: parts of checksummed chunks, a record of them, a lock for one writer.

A chunk counts only if its CRC-32 stands in ``table.json`` and fits, and it is put there after the chunk has reached the
disk. So a build may be killed at any moment, and damage is found at the next opening, where those chunks alone are
computed again.
"""

import io
import json
import math
import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdnb.files import way_out, write_json
from kdnb.train import locks

LIVE = "use teacher_outputs='live'"


class Part:
    """A file of the table: fp16, images x views x width, as npy, and written in chunks of whole images."""

    def __init__(self, path: Path, shape: tuple[int, int, int], chunk_images: int) -> None:
        self.path, self.shape, self.chunk_images = path, shape, chunk_images
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": shape})
        self.header = header.getvalue()
        self.size = len(self.header) + 2 * math.prod(shape)

    def images(self, chunk: int) -> range:
        """The images of a chunk; the last may be short."""
        return range(self.shape[0])[chunk * self.chunk_images :][: self.chunk_images]

    def _span(self, chunk: int) -> tuple[int, int]:
        """First byte and length of a chunk; the header belongs to the first, so that its damage is seen as well."""
        images, row = self.images(chunk), 2 * math.prod(self.shape[1:])
        start = len(self.header) + images.start * row if chunk else 0
        return start, len(self.header) + images.stop * row - start

    def checksum(self, chunk: int) -> str | None:
        """Of what the file now holds of a chunk; None where there is no file."""
        if not self.path.exists():
            return None
        start, length = self._span(chunk)
        with self.path.open("rb") as file:
            file.seek(start)
            return _checksum(file.read(length))

    def write(self, chunk: int, values: np.ndarray) -> str:
        """Put a chunk on the disk for good and return its checksum; OSError naming the file when that fails."""
        content = values.tobytes() if chunk else self.header + values.tobytes()
        try:
            self.path.touch()
            with self.path.open("rb+") as file:
                file.seek(self._span(chunk)[0])
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                f"could not write {self.path}: {error}. Recorded chunks are kept; {way_out(error)} and run again, or "
                f"{LIVE}."
            ) from error
        return _checksum(content)

    def open(self) -> Tensor:
        """The whole file, mapped copy-on-write: torch wants writable memory, and what it may write stays private."""
        return torch.from_numpy(np.load(self.path, mmap_mode="c"))


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


class Store:
    """A table's folder: the two parts it may hold, and the record of what it holds."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path, self.identity, self.record = path, identity, path / "table.json"
        images, views, chunk_images = (identity[name] for name in ("images", "views", "chunk_images"))
        widths = {"logits": identity["classes"], "features": identity["width"]}
        self.parts = {
            name: Part(path / f"{name}.npy", (images, views, width), chunk_images) for name, width in widths.items()
        }
        self.chunks = math.ceil(images / chunk_images)
        self.checksums: dict[str, dict[int, str]] = {name: {} for name in widths}  # part: {chunk: checksum}

    def locked(self) -> AbstractContextManager[None]:
        """Keep other jobs out; a job that comes second waits, and says so."""
        return locks.alone(self.path / "lock", "teacher table", f"Choose another output_dir, or {LIVE}.")

    def missing(self, names: Sequence[str]) -> dict[str, list[int]]:
        """The chunks to compute of each part in ``names``, after every recorded checksum was checked."""
        if self.record.exists():
            self.checksums = self._recorded()
        for name in names:
            part, recorded = self.parts[name], self.checksums[name]
            damaged = [chunk for chunk in recorded if part.checksum(chunk) != recorded[chunk]]
            if damaged:
                numbers = ", ".join(map(str, damaged))
                print(f"{part.path} is damaged: of {self.chunks} chunks, {numbers} computed again", flush=True)
            self.checksums[name] = {chunk: recorded[chunk] for chunk in recorded if chunk not in damaged}
        return {name: [chunk for chunk in range(self.chunks) if chunk not in self.checksums[name]] for name in names}

    def _recorded(self) -> dict[str, dict[int, str]]:
        """The checksums in ``table.json``, once it is clear that they are this table's."""
        way_out = f"Nothing was overwritten: move {self.path} away to have the table computed anew, or {LIVE}."
        try:
            content = json.loads(self.record.read_text())
            checksums = {
                name: {int(chunk): checksum for chunk, checksum in content["checksums"][name].items()}
                for name in self.parts
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{self.record} cannot be read: {error!r}. {way_out}") from error
        if differing := [field for field, asked in self.identity.items() if content.get(field) != asked]:
            there = "; ".join(
                f"{name}: there {content.get(name)!r}, asked {self.identity[name]!r}" for name in differing
            )
            raise ValueError(f"{self.path} holds another teacher table ({there}). {way_out}")
        return checksums

    def check_space(self, names: Sequence[str]) -> None:
        """OSError when the disk cannot take what the parts ``names`` still lack."""
        parts = [self.parts[name] for name in names]
        there = sum(part.path.stat().st_size for part in parts if part.path.exists())
        lacking, free = sum(part.size for part in parts) - there, shutil.disk_usage(self.path).free
        if lacking > free:
            raise OSError(
                f"the teacher table in {self.path} needs {megabytes(lacking)} more, and {megabytes(free)} are free: "
                f"make room, choose another output_dir, or {LIVE}."
            )

    def write(self, chunk: int, outputs: Mapping[str, np.ndarray]) -> None:
        """Put the outputs of a chunk on the disk, by part; only then record them."""
        for name, values in outputs.items():
            self.checksums[name][chunk] = self.parts[name].write(chunk, values)
        write_json(self.record, {**self.identity, "checksums": self.checksums})


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
