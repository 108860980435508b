"""The teacher table: the teacher's outputs for every view of every training image, computed once for all runs.

    table = prepare(folder, teacher, dataset, device, "fp32")
    output = table.outputs(indices, views)  # logits B x K as the live teacher gives them, but for fp16 rounding

Augmentation shows finitely many views (:class:`kdnb.data.Views`), so nothing but that rounding, a relative error of at
most 2^-11, parts the table from the live teacher. It costs one forward pass a view; a live teacher costs one an epoch,
again for each lockstep group: **the table pays where epochs x groups > views**.

==================================  ======  =====  =======================  =======================
training images                     images  views  logits (classes)         features (width)
==================================  ======  =====  =======================  =======================
digits                              896     9      0.2 MB (10)              1.0 MB (64)
cifar10                             50,000  162    162.0 MB (10)            4,147.2 MB (256)
cifar100                            50,000  162    1,620.0 MB (100)         4,147.2 MB (256)
cifar100, a teacher like resnet20   50,000  162    1,620.0 MB (100)         1,036.8 MB (64)
==================================  ======  =====  =======================  =======================

With 240 epochs it pays at the first group, on digits (9 views) as on CIFAR (162); with 15 epochs on CIFAR only from
the eleventh on.

A table is a folder: ``logits.npy``, ``features.npy`` where they were asked for (fp16, images x views x width) and
``table.json``: of what it is the table, and the CRC-32 of each chunk of images. A chunk counts only if its checksum
stands there and fits, and it is put there after the chunk has reached the disk: so a build may be killed at any moment,
and damage is found at the next opening, where those chunks alone are computed again.
"""

import fcntl
import io
import json
import math
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from kdnb import device as devices
from kdnb import models, progress
from kdnb.data import Dataset, Views
from kdnb.evaluate import CPU_BATCH
from kdnb.files import write_json
from kdnb.models import Output
from kdnb.teacher import Teacher

FORMAT = 1
CHUNK_PASSES = 16384  # forward passes that a kill can cost; some MB of outputs
GPU_BATCH = 2048
LIVE = "use teacher_outputs='live'"


@dataclass(frozen=True, eq=False)
class TeacherTable:
    """Outputs of every training image under every view, fp16 on the device (on a CPU: a private map of the files).

    ``logits``: images x views x K. ``features``: images x views x D, D = 0 where they were not asked for.
    """

    logits: Tensor
    features: Tensor

    def outputs(self, indices: Tensor, views: Tensor) -> Output:
        """What the teacher says of view ``views[b]`` of image ``indices[b]``, in float32 and without maps.

        Both are int64 of length B on the device. Only gathers, no wait for the device: a CUDA graph can hold it.
        """
        return Output((), self.features[indices, views].float(), self.logits[indices, views].float())


def prepare(
    folder: Path, teacher: Teacher, dataset: Dataset, device: torch.device, precision: str, *, features: bool = False
) -> TeacherTable:
    """The table of ``teacher`` under ``folder``, on ``device``: opened and checked, and computed where it is missing.

    Stopped at any moment, the same call goes on after the last recorded chunk. Of jobs that call at once, one computes
    and the others wait. Raises ValueError when the table's folder is another table's, its ``table.json`` is unreadable,
    or an output is not finite in fp16; OSError when the disk is too small. Each message says the way out.
    """
    devices.configure(device, precision)
    views = Views(dataset.train, dataset, device)
    identity = _identity(teacher, dataset, views.count, precision)
    store = Store(folder / f"table-{teacher.checksum[:12]}-{dataset.checksum[:12]}-{precision}", identity)
    names = ["logits", "features"] if features else ["logits"]
    with store.locked():
        missing = store.missing(names)
        if any(missing.values()):
            store.check_space(names)
            _build(store, missing, teacher.on(device).network, views, precision)
    opened = {name: store.parts[name].open().to(device) for name in names}
    return TeacherTable(opened["logits"], opened.get("features", opened["logits"][..., :0]))


def _identity(teacher: Teacher, dataset: Dataset, views: int, precision: str) -> dict[str, Any]:
    """All that decides what a table holds, and how it is laid out."""
    classes, width = teacher.network.classifier.weight.shape
    return {
        "format": FORMAT,
        "teacher": teacher.identity,
        "data_checksum": dataset.checksum,
        "precision": precision,
        "images": len(dataset.train.labels),
        "views": views,
        "classes": classes,
        "width": width,
        "chunk_images": max(1, CHUNK_PASSES // views),
    }


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
                f"could not write {self.path}: {error}. Recorded chunks are kept; make room and run again, or {LIVE}."
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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other jobs out; a job that comes second waits, and says so."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{self.path}: another job is at work on this teacher table; waiting for it.", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise OSError(
                    f"{file.name} cannot be locked: {error}. Choose another output_dir, or {LIVE}."
                ) from error
            yield

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
                f"the teacher table in {self.path} needs {_megabytes(lacking)} more, and {_megabytes(free)} are free: "
                f"make room, choose another output_dir, or {LIVE}."
            )

    def write(self, chunk: int, outputs: Mapping[str, np.ndarray]) -> None:
        """Put the outputs of a chunk on the disk, by part; only then record them."""
        for name, values in outputs.items():
            self.checksums[name][chunk] = self.parts[name].write(chunk, values)
        write_json(self.record, {**self.identity, "checksums": self.checksums})


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _build(
    store: Store, missing: Mapping[str, Sequence[int]], network: models.ResNet, views: Views, precision: str
) -> None:
    """Compute and store the missing chunks of each part; one forward pass serves both."""
    chunks = sorted(set().union(*missing.values()))
    sizes = ", ".join(f"{name}.npy {_megabytes(store.parts[name].size)}" for name in missing)
    print(f"teacher table into {store.path} ({sizes}): {len(chunks)} of {store.chunks} chunks to compute", flush=True)
    for chunk in _progress(chunks, store.chunks, store.path.name):
        names = [name for name in missing if chunk in missing[name]]
        images = store.parts[names[0]].images(chunk)
        store.write(chunk, _compute(network, views, images, precision, names))


def _progress(chunks: Sequence[int], total: int, what: str) -> "tqdm[int]":
    terminal = sys.stderr.isatty()
    return tqdm(
        chunks,
        desc=what,
        total=total,
        initial=total - len(chunks),
        unit="chunk",
        file=sys.stderr if terminal else progress._Lines(sys.stdout),
        mininterval=0.1 if terminal else progress.QUIET_SECONDS,
        maxinterval=progress.QUIET_SECONDS,
        bar_format="{desc}: chunk {n_fmt}/{total_fmt}, {elapsed} gone, {remaining} left",
    )


@torch.no_grad()
def _compute(
    network: models.ResNet, views: Views, images: range, precision: str, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """The outputs called ``names`` of every view of ``images``: fp16, ordered by image, then by view."""
    device = views.labels.device
    batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
    indices = torch.arange(images.start, images.stop).repeat_interleave(views.count).to(device)
    chosen = torch.arange(views.count).repeat(len(images)).to(device)
    pieces: dict[str, list[Tensor]] = {name: [] for name in names}
    for some, which in zip(indices.split(batch), chosen.split(batch), strict=True):
        with devices.autocast(device, precision):
            output = network(views(some, which))
        for name in names:
            pieces[name].append(_halved(getattr(output, name), name, some))
    return {name: torch.cat(piece).numpy() for name, piece in pieces.items()}


def _halved(values: Tensor, name: str, indices: Tensor) -> Tensor:
    """``values`` (B x width) in fp16, on the CPU; ValueError naming the first image whose values do not fit."""
    half = values.half()
    misfits = ~half.isfinite().all(1)
    if misfits.any():
        first = values[misfits][0]
        raise ValueError(
            f"the teacher's {name} for training image {int(indices[misfits][0])} reach from {first.min():g} to "
            f"{first.max():g} and do not fit in half precision (at most 65504); {LIVE}."
        )
    return half.cpu()
