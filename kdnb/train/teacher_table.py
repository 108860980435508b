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
``table.json``, of what it is the table and which chunks of it are done: see :mod:`kdnb.train.teacher_table_files`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdnb import device as devices
from kdnb import models, progress
from kdnb.data import Dataset, Views
from kdnb.measure.outputs import batch_size
from kdnb.models import Output
from kdnb.train.budget import Budget
from kdnb.train.teacher import Teacher
from kdnb.train.teacher_table_files import LIVE, Store, megabytes

FORMAT = 1
CHUNK_PASSES = 16384  # forward passes that a kill can cost; some MB of outputs
GPU_BATCH = 2048


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
    folder: Path,
    teacher: Teacher,
    dataset: Dataset,
    device: torch.device,
    precision: str,
    *,
    features: bool = False,
    budget: Budget | None = None,
    epochs: int | None = None,
) -> TeacherTable:
    """The table of ``teacher`` under ``folder``, on ``device``: opened and checked, and computed where it is missing.

    epochs: of the students; where they are so few that a live teacher would cost less, that is printed.
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
            if epochs and epochs < views.count:
                print(
                    f"the teacher table asks the teacher {views.count} times an image, teacher_outputs='live' "
                    f"{epochs}, once an epoch: unless {math.ceil(views.count / epochs)} groups of students share the "
                    "table, live is cheaper.",
                    flush=True,
                )
            store.check_space(names)
            _build(store, missing, teacher.on(device).network, views, precision, budget or Budget())
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


def _build(
    store: Store,
    missing: Mapping[str, Sequence[int]],
    network: models.Network,
    views: Views,
    precision: str,
    budget: Budget,
) -> None:
    """Compute and store the missing chunks of each part; one forward pass serves both."""
    chunks = sorted(set().union(*missing.values()))
    sizes = ", ".join(f"{name}.npy {megabytes(store.parts[name].size)}" for name in missing)
    print(f"teacher table into {store.path} ({sizes}): {len(chunks)} of {store.chunks} chunks to compute", flush=True)
    done = store.chunks - len(chunks)
    shown = progress.track(chunks, store.chunks, done, store.path.name, "chunk")
    for chunk in budget.spend(shown, store.path.name, "chunk"):
        names = [name for name in missing if chunk in missing[name]]
        images = store.parts[names[0]].images(chunk)
        store.write(chunk, _compute(network, views, images, precision, names))


@torch.no_grad()
def _compute(
    network: models.Network, views: Views, images: range, precision: str, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """The outputs called ``names`` of every view of ``images``: fp16, ordered by image, then by view."""
    device = views.labels.device
    batch = batch_size(views.size, device) if device.type == "cpu" else GPU_BATCH
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
