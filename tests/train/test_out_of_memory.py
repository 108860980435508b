"""Groups that fit into memory: halves after a failure, with the same results, and a way out at the end."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from conftest import Train

from kdnb import device as devices
from kdnb.runs import Run
from kdnb.train import loop, teacher_table
from kdnb.train.learner import Learner

METHODS = ["normal", "kd", "dist"]


def as_in_one_group(runs: Sequence[Run], together: Sequence[Run]) -> None:
    for run in runs:
        (other,) = [one for one in together if one.path.name == run.path.name]
        pd.testing.assert_frame_equal(run.history, other.history, check_exact=True)


def groups_of(run: Run) -> list[int]:
    """Sizes of the groups a run was in, session by session."""
    return [len(session["group"]) for session in run.provenance["sessions"]]


FULL = [  # as torch passes them on: its allocator's own, the driver's, two libraries', Apple's
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("MPS backend out of memory (MPS allocated: 18.04 GB)"),
]


@pytest.mark.parametrize("full", FULL, ids=str)
def test_a_group_out_of_memory_goes_on_in_halves_and_loses_no_epoch(
    full: RuntimeError,
    train: Train,
    tiny_runs: list[Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It fails in its second epoch: the first is kept, the rest is done by groups of 2 and 1, bit by bit alike."""
    step, stepped = Learner.step, []

    def failing(learner: Learner, *batch: object) -> None:
        stepped.append(learner.epoch)
        if stepped.count(1) == 3:
            stepped.append(1)
            raise full
        step(learner, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "step", failing)
    runs = train(methods=["normal", "kd"])
    assert "out of memory with 3 runs: 2 go on from their last finished epoch" in capsys.readouterr().out
    assert [groups_of(run) for run in runs] == [[3, 2], [3, 2], [3, 1]]
    assert [session["first_epoch"] for session in runs[2].provenance["sessions"]] == [1, 2]
    as_in_one_group(runs, tiny_runs)


def test_one_run_that_does_not_fit_says_what_to_do(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(MemoryError, match=r"does not hold normal-\S+ at batch_size 64; .*smaller batch_size"):
        train(methods=["normal"])


def test_a_teacher_table_that_does_not_fit_says_what_to_do(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put on the device before any group is tried."""

    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.51 GiB.\nand more")

    monkeypatch.setattr(teacher_table, "prepare", fail)
    with pytest.raises(MemoryError, match=r"cpu has no room for .*1\.51 GiB\. Free memory .*teacher_outputs='live'"):
        train(methods=["kd"], teacher_outputs="table")


def test_other_errors_are_no_lack_of_memory(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(devices.DeviceLost):
        train(methods=["normal", "kd"])


@pytest.mark.parametrize(
    ("runs", "room", "tried"),
    [
        (13, 20, [13]),
        (13, 5, [13, 7, 4, 4, 4, 1]),
        (13, 1, [13, 7, 4, 2, *[1] * 13]),
        (46, 20, [46, 23, 12, 12, 12, 10]),
    ],
)
def test_few_attempts_are_lost_before_the_groups_fit(
    runs: int, room: int, tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device with room for so many runs: each is trained once, in order, after at most log2 N failures."""
    attempts, done = list[int](), list[int]()

    def trained(group: list[int], _: object) -> None:
        attempts.append(len(group))
        if len(group) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        done.extend(group)

    monkeypatch.setattr(loop, "Group", lambda shared, group, steps: group)
    monkeypatch.setattr(loop, "_train", trained)
    shared = SimpleNamespace(batch=None, device=torch.device("cpu"))
    loop._train_what_fits(shared, list(range(runs)), loop.Execution())  # type: ignore[arg-type]
    assert attempts == tried and done == list(range(runs))
    assert sum(size > room for size in attempts) <= math.ceil(math.log2(runs))
