"""Groups that fit into memory: the same results in smaller groups, halves after a failure, and a way out at the end."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest
import torch
from conftest import Train

from kdnb import data
from kdnb.runs import Run
from kdnb.train import group_size
from kdnb.train.learner import Learner

METHODS = ["normal", "kd", "dist"]


def as_in_one_group(runs: Sequence[Run], together: Sequence[Run]) -> None:
    for run in runs:
        (other,) = [one for one in together if one.path.name == run.path.name]
        pd.testing.assert_frame_equal(run.history, other.history, check_exact=True)


def groups_of(run: Run) -> list[int]:
    """Sizes of the groups a run was in, session by session."""
    return [len(session["group"]) for session in run.provenance["sessions"]]


def test_as_many_runs_go_together_as_fit(
    train: Train, tiny_runs: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory for one step and two runs' weights: groups of 2, 2."""
    digits, spec = data.load("digits", limit=128), tiny_runs[0].spec
    room = group_size.of_step(spec, digits) + 2.5 * group_size.of_weights(spec, digits)
    monkeypatch.setattr(group_size, "free", lambda device: room / group_size.USABLE)
    runs = train(methods=METHODS)
    assert "4 runs do not fit into the device's memory together: 2 groups" in capsys.readouterr().out
    assert [groups_of(run) for run in runs] == [[2]] * 4
    as_in_one_group(runs, tiny_runs)


def test_a_group_out_of_memory_goes_on_in_halves_and_loses_no_epoch(
    train: Train, tiny_runs: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It fails in its second epoch: the first is kept, the rest is done by groups of 2 and 1, bit by bit alike."""
    step, stepped = Learner.step, []

    def failing(learner: Learner, *batch: object) -> None:
        stepped.append(learner.epoch)
        if stepped.count(1) == 3:
            stepped.append(1)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
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


def test_the_estimate_grows_as_it_must(tiny_runs: list[Run]) -> None:
    """Twice the batch, twice the bytes; half precision, half; wider networks have more weights; at least one run."""
    digits, spec = data.load("digits", limit=128), tiny_runs[0].spec
    plain = group_size.of_step(spec, digits)
    assert group_size.of_step(replace(spec, batch_size=128), digits) == 2 * plain
    assert group_size.of_step(replace(spec, precision="bf16"), digits) == plain // 2
    assert group_size.of_weights(replace(spec, model="resnet8x4"), digits) > 10 * group_size.of_weights(spec, digits)
    assert group_size.group_size(spec, digits, torch.device("cpu"), 1) >= 1000


def test_a_tight_device_still_tries_one_run(tiny_runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_size, "free", lambda device: 1.0)
    digits = data.load("digits", limit=128)
    assert group_size.group_size(tiny_runs[0].spec, digits, torch.device("cpu"), 4) == 1
