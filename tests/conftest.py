"""What several tests need: one torch thread, and a tiny study on real digits."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kdnb.parameters import StudentParameters
from kdnb.runs import Checkpoint, Run
from kdnb.train import study

pytest_plugins = ["browser", "own_nets", "small_book"]

torch.set_num_threads(1)

LONGEST = ["book/test_pages.py", "test_workflow.py", "book/test_live.py", "test_notebooks.py"]
LONGEST += ["train", "cluster/test_slurm.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, that no worker ends alone with one; arguments cannot say so: pytest 9 merges them."""
    places = [Path(__file__).parent / name for name in LONGEST]
    items.sort(key=lambda item: [not item.path.is_relative_to(place) for place in places])


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """No test sees a power loss; what one starts to kill is a process of its own, which waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def tiny(folder: Path, **changes: object) -> StudentParameters:
    """Parameters of a study that takes seconds: 128 digits, 3 epochs, small networks."""
    standard: dict[str, object] = {
        "output_dir": str(folder),
        "limit": 128,
        "epochs": 3,
        "teacher_model": "resnet8",
        "methods": ["normal", "kd"],
        "temperatures": [1, 4],
        "device": "cpu",
    }
    return StudentParameters(**{**standard, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished tiny study: teacher, bystander, normal, KD at T = 1 and 4, DIST, MSE."""
    folder = tmp_path_factory.mktemp("tiny")
    study.train_students(tiny(folder, methods=["normal", "kd", "dist", "mse"]))
    return folder


@pytest.fixture(scope="session")
def tiny_runs(tiny_folder: Path) -> list[Run]:
    """The students of :func:`tiny_folder`."""
    from kdnb import runs

    return runs.find(tiny_folder, role="student")


@pytest.fixture(scope="session")
def published(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study as it is published; only read."""
    from kdnb.analysis import publish

    folder = tmp_path_factory.mktemp("results") / "tiny"
    publish.publish(tiny_folder, folder)
    return folder


def with_teachers(folder: Path, teachers: Path) -> Path:
    """``folder``, made if new, with the two teachers that are in ``teachers``."""
    folder.mkdir(exist_ok=True)
    for seed in (0, 1):
        (folder / f"teacher-s{seed}").symlink_to(teachers / f"teacher-s{seed}")
    return folder


Train = Callable[..., list[Run]]


@pytest.fixture
def train(tiny_folder: Path, tmp_path: Path) -> Train:
    """Train tiny students into a folder of the test's own, with the tiny study's teachers."""
    with_teachers(tmp_path, tiny_folder)

    def run(**changes: object) -> list[Run]:
        return study.train_students(tiny(tmp_path, **{"teachers_dir": str(tiny_folder), **changes}))

    return run


@contextmanager
def stopped_after(checkpoints: int) -> Iterator[None]:
    """What trains within is stopped, as by Ctrl-C, when all runs together have written so many checkpoints."""
    write, written = Run.write_checkpoint, []

    def stopping(run: Run, checkpoint: Checkpoint) -> None:
        write(run, checkpoint)
        written.append(run)
        if len(written) == checkpoints:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "write_checkpoint", stopping)
        yield


def same(one: Run, other: Run) -> None:
    """Histories, traces, weights and snapshots agree to the last bit."""
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    for left, right in zip(one.trace(), other.trace(), strict=True):
        np.testing.assert_array_equal(left, right)
    for name, tensor in one.weights().items():
        assert torch.equal(tensor, other.weights()[name]), name
    final, again = one.snapshot("final"), other.snapshot("final")
    assert final is not None and again is not None
    np.testing.assert_array_equal(final.features, again.features)
