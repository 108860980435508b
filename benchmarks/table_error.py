"""How far a teacher table is from the live teacher: all views of a sample of CIFAR-100's training images.

    python -m benchmarks.table_error RUN DATA

RUN is a trained teacher's folder, such as runs/cifar100-small/teacher-s0, DATA the folder of CIFAR-100. The live
teacher sees the views in another order, in batches as training has them.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from kdnb import data
from kdnb import device as devices
from kdnb.data import Split, Views
from kdnb.runs import load
from kdnb.train import teacher, teacher_table

IMAGES, BATCH = 20, 64


def main(run_folder: str, data_folder: str) -> None:
    """Print the largest differences, in each precision the device is made for and in fp32."""
    device, whole = devices.choose("auto"), data.load("cifar100", data_folder, download=False)
    taught = teacher.from_run(load(run_folder), whole).on(device)
    chosen = torch.randperm(len(whole.train.labels), generator=torch.Generator().manual_seed(0))[:IMAGES]
    few = replace(whole, train=Split(whole.train.images[chosen], whole.train.labels[chosen]), checksum="sample")
    for precision in dict.fromkeys(("fp32", devices.natural_precision(device))):
        with tempfile.TemporaryDirectory() as folder:
            compare(teacher_table.prepare(Path(folder), taught, few, device, precision), taught, few, device, precision)


@torch.no_grad()
def compare(
    made: teacher_table.TeacherTable, taught: teacher.Teacher, few: data.Dataset, device: torch.device, precision: str
) -> None:
    """Every view once, in random order."""
    views = Views(few.train, few, device)
    order = torch.randperm(IMAGES * views.count, generator=torch.Generator().manual_seed(1)).to(device)
    indices, chosen = order // views.count, order % views.count
    live = []
    for some, which in zip(indices.split(BATCH), chosen.split(BATCH), strict=True):
        with devices.autocast(device, precision):
            live.append(taught.network(views(some, which)).logits.float())
    logits, stored = torch.cat(live), made.outputs(indices, chosen).logits
    difference, rounding = (stored - logits).abs(), (logits.half().float() - logits).abs()
    print(
        f"{devices.describe(device)}, {precision}: {len(order)} views of {IMAGES} images, logits {logits.min():.2f} to "
        f"{logits.max():.2f}: largest difference {difference.max():.3g} (fp16 rounding alone: {rounding.max():.3g}), "
        f"entries that differ by more than the rounding: {int((stored != logits.half().float()).sum())}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
