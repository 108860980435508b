"""A limit of time stops between epochs, never within one; and says when it is too small for any."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Train, tiny

from kdnb import __main__
from kdnb.parameters import TeacherParameters
from kdnb.runs import Run
from kdnb.train import budget, study
from kdnb.train.budget import Budget, TimeUp


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def spent(limit: Budget, clock: Clock, seconds: list[float]) -> Iterator[int]:
    for epoch in limit.spend(range(1, len(seconds) + 1), "a run"):
        clock.seconds += seconds[epoch - 1]
        yield epoch


def test_it_stops_before_an_epoch_that_may_not_fit() -> None:
    """Two minutes, epochs of 40, 30, 30 s: a fourth, as long as the longest, would end at 140 s."""
    clock = Clock()
    done = []
    with pytest.raises(TimeUp, match="2 minutes are used up before epoch 4 of a run"):
        for epoch in spent(Budget(2, clock), clock, [40, 30, 30, 1]):
            done.append(epoch)
    assert done == [1, 2, 3]


def test_what_fits_is_done_and_no_limit_is_none() -> None:
    clock = Clock()
    assert list(spent(Budget(2, clock), clock, [40, 40, 40])) == [1, 2, 3]
    assert list(spent(Budget(None, clock), clock, [1e6, 1e6])) == [1, 2]


def test_a_budget_shorter_than_an_epoch_says_how_long_one_takes() -> None:
    clock = Clock()
    with pytest.raises(
        ValueError, match=r"minutes is 0.5, and one epoch of a run takes 1.5; .*is stored, epoch 1 as well"
    ):
        list(spent(Budget(0.5, clock), clock, [90]))


def test_one_budget_serves_teacher_and_students() -> None:
    clock = Clock()
    limit = Budget(2, clock)
    assert list(spent(limit, clock, [100])) == [1]
    clock.seconds += 30
    with pytest.raises(TimeUp):
        list(spent(limit, clock, [1]))


def test_a_study_in_pieces_equals_one_in_one_go(
    train: Train, tiny_runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch a call, by a clock that the end of an epoch moves: three calls, then the same history."""
    clock = Clock()
    monkeypatch.setattr(study, "Budget", lambda minutes: Budget(minutes, clock))
    checkpoint = Run.write_checkpoint
    monkeypatch.setattr(
        Run, "write_checkpoint", lambda run, state: (checkpoint(run, state), setattr(clock, "seconds", clock() + 40))
    )
    for epochs in (1, 2):
        with pytest.raises(TimeUp, match=f"before epoch {epochs + 1}"):
            train(methods=["normal"], minutes=1)
    (run,) = train(methods=["normal"], minutes=1)
    assert run.history.equals(next(one for one in tiny_runs if one.label == "normal").history)
    assert len(run.provenance["sessions"]) == 3


def test_the_command_line_asks_to_be_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(budget.Budget, "__init__", expired(clock))
    options = "teacher --limit 64 --epochs 2 --teacher-model resnet8 --device cpu --minutes 1 --output-dir"
    assert __main__.main([*options.split(), str(tmp_path)]) == 75
    assert "minutes are used up before epoch 1 of teacher-s0; run it again" in capsys.readouterr().err


def expired(clock: Clock) -> object:
    """A constructor of budgets whose time is over."""

    def make(self: Budget, minutes: float | None) -> None:
        self.minutes, self.clock, self.seconds, self.end = minutes, clock, 60.0, clock() - 1

    return make


def test_a_limit_that_is_no_time_is_refused(tmp_path: Path) -> None:
    for minutes in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"minutes is .*greater than 0"):
            tiny(tmp_path, minutes=minutes)
    with pytest.raises(ValueError, match="minutes"):
        TeacherParameters(minutes="soon")  # type: ignore[arg-type]
    assert TeacherParameters(minutes="5").minutes == 5  # type: ignore[arg-type]
