"""What the mu tracker costs of a CIFAR-100 epoch, beyond the test pass that accuracy needs anyway.

    python -m benchmarks.tracker

ResNet8x4 on images of CIFAR-100's shape (noise: only time is measured), batch 64, one student under KD, on the device
that is there. Steps with and without the account of mu are alternated; the solvers run on features of full size.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from kdnb import device as devices
from kdnb.data import Dataset, Split, Views
from kdnb.measure import history
from kdnb.measure.history import Reference
from kdnb.measure.outputs import Outputs, collect
from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train import student, study
from kdnb.train.learner import Batch, Learner

EPOCH_STEPS = 782


class Amounts(NamedTuple):
    """How often each is timed, steps at a time, and test and clean images."""

    pairs: int = 9
    steps: int = 8
    test: int = 10_000
    clean: int = 5_000


FULL = Amounts()


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time of one call, the device's queue included."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def noise(count: int) -> Split:
    """Images of CIFAR-100's shape."""
    return Split(torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8), torch.arange(count) % 100)


def outputs(count: int) -> Outputs:
    """Features of full size."""
    return Outputs(torch.rand(count, 256), torch.randn(count, 100), torch.arange(count) % 100)


def learner(folder: Path, dataset: Dataset, device: torch.device, references: list[Reference]) -> Learner:
    """A student under KD, with references to keep account against or without."""
    parameters = StudentParameters(profile="cifar100", precision="fp32", methods=("kd",), temperatures=(4,))
    ((name, given),) = study.method_grid(parameters)
    spec = study.make_spec(parameters, dataset, "student", "resnet8x4", name, given)
    return Learner(
        Run.open(folder / str(len(references)), spec), student.create(spec, dataset, None), device, references
    )


def solve(weight: Tensor, bias: Tensor, test: Outputs, clean: Outputs, reference: Reference) -> None:
    """What a student's row of an epoch asks of the host, teacher and bystander alike."""
    history.quality(weight, bias, test, clean)
    for _ in history.PREFIXES:
        history.likeness(test, reference)
        history.alignment(weight, bias, test, clean, reference)


def solver_seconds(amounts: Amounts) -> list[float]:
    """Times of :func:`solve` on features of full size, after one to warm up."""
    test, clean = outputs(amounts.test), outputs(amounts.clean)
    reference = Reference(torch.randn(100, 256) / 16, torch.zeros(100), outputs(amounts.test), outputs(amounts.clean))
    work = partial(solve, torch.randn(100, 256) / 16, torch.zeros(100), test, clean, reference)
    return [seconds(work, torch.device("cpu")) for _ in range(1 + amounts.pairs)][1:]


def main(amounts: Amounts = FULL) -> None:
    """Print the medians and the share of an epoch."""
    device, clean = devices.choose("auto"), noise(amounts.clean)
    dataset = Dataset("noise", clean, noise(64), tuple(map(str, range(100))), (0.5,) * 3, (0.25,) * 3, 4, True, "")
    views = Views(clean, dataset, device)
    first = torch.arange(64, device=device)
    images, labels = views(first, torch.zeros_like(first)), views.labels[:64]
    reference = Reference(torch.randn(100, 256) / 16, torch.zeros(100), outputs(64), outputs(64))
    times: dict[str, list[float]] = {"step, plain": [], "step, with account": [], "clean pass": []}
    with tempfile.TemporaryDirectory() as folder:
        plain, kept = (learner(Path(folder), dataset, device, [reference] * count) for count in (0, 2))
        with torch.no_grad():
            teacher = plain.network(images)

        def steps(one: Learner) -> None:
            for _ in range(amounts.steps):
                one.step(Batch(images, labels, first, teacher))

        for one in (plain, kept):
            steps(one)
        everything = torch.arange(amounts.clean, device=device)
        for _ in range(amounts.pairs):
            times["step, plain"].append(seconds(lambda: steps(plain), device) / amounts.steps)
            times["step, with account"].append(seconds(lambda: steps(kept), device) / amounts.steps)
            times["clean pass"].append(seconds(lambda: collect(kept.network, views, everything), device))
    report(device, times | {"solvers": solver_seconds(amounts)})


def report(device: torch.device, times: dict[str, list[float]]) -> None:
    """Medians with their range, and what they make of an epoch."""
    count = len(times["solvers"])
    print(f"{devices.describe(device)}, {torch.get_num_threads()} thread(s), torch {torch.__version__}, n = {count}")
    for name, values in times.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name}: {1e3 * middle:.1f} ms ({1e3 * low:.1f} to {1e3 * high:.1f})")
    pairs = zip(times["step, with account"], times["step, plain"], strict=True)
    account = EPOCH_STEPS * statistics.median(kept - plain for kept, plain in pairs)
    epoch = EPOCH_STEPS * statistics.median(times["step, plain"])
    extra = account + statistics.median(times["clean pass"]) + statistics.median(times["solvers"])
    print(f"tracker: {extra:.2f} s beside {epoch:.1f} s of training an epoch: {100 * extra / epoch:.1f} %")


if __name__ == "__main__":
    main()
