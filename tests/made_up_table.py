"""A small teacher table of made-up images, for tests: built here, or by another process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kdnb import data, models
from kdnb.data import Dataset, dataset
from kdnb.train import teacher, teacher_table
from kdnb.train.teacher import Teacher
from kdnb.train.teacher_table import TeacherTable

CPU = torch.device("cpu")
IMAGES, VIEWS, CHUNKS = 12, 9, 6  # of what most tests build: two images a chunk


def made_up(images: int = IMAGES, shape: tuple[int, ...] = (1, 8, 8), padding: int = 1, flip: bool = False) -> Dataset:
    """Random pixels; what a network makes of them is as good as of any others here."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, *shape), generator=random, dtype=torch.uint8)
    split, names = data.Split(pixels, torch.arange(images) % 5), tuple("abcde")
    mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
    checksum = dataset._checksum((split, split), [names, mean, std, padding, flip])
    return Dataset("made up", split, split, names, mean, std, padding, flip, checksum)


def untrained(dataset: Dataset, seed: int = 0, scale: float = 1.0) -> Teacher:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = models.create("resnet8", dataset.num_classes, dataset.in_channels).state_dict()
    state["classifier.weight"] *= scale
    return teacher.from_state("resnet8", state, dataset, "a test")


def watched(dataset: Dataset) -> tuple[Teacher, list[int]]:
    """A teacher, and the number of views in each of its forward passes from now on."""
    network, passes = untrained(dataset), list[int]()
    network.network.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
    return network, passes


def build(folder: Path, *, features: bool = False, precision: str = "fp32") -> tuple[TeacherTable, int]:
    """The table of the made-up images, and how many views were computed for it."""
    dataset = made_up()
    network, passes = watched(dataset)
    return teacher_table.prepare(folder, network, dataset, CPU, precision, features=features), sum(passes)


def file(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"table-*/{name}")
    return found


def contents(folder: Path, *names: str) -> list[bytes]:
    return [file(folder, name).read_bytes() for name in names]


def build_and_die(folder: str, at: int) -> None:
    """Build until the ``at``-th fsync (odd: a chunk's, even: the record's); its file loses its end, then SIGKILL."""
    teacher_table.CHUNK_PASSES = 2 * VIEWS
    seen: list[int] = []

    def fsync(descriptor: int) -> None:
        seen.append(descriptor)
        if len(seen) == at:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - 20)
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        build(Path(folder))


def build_and_count(folder: str) -> None:
    teacher_table.CHUNK_PASSES = 2 * VIEWS
    print("computed", build(Path(folder))[1], flush=True)


def start(call: str) -> "subprocess.Popen[str]":
    """Another process that runs ``call`` of this file."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import {Path(__file__).stem} as tests; tests.{call}"],
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
