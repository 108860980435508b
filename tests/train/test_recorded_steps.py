"""The captured step is the plain step, for every method, without a GPU; see :mod:`recorded`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import same, tiny, with_teachers
from recorded import HostRead, Lane, Recorded

from kdnb import device as devices
from kdnb import methods
from kdnb.runs import Run
from kdnb.train import cuda_graphs, loss_scale, study
from kdnb.train.learner import Learner

COMMON: dict[str, object] = {
    "methods": list(methods.METHODS),
    "temperatures": [4],
    "teacher_outputs": "live",
    "batch_size": 48,  # 128 images: two batches and an odd one
    "epochs": 2,
    "drops": [1],  # the rate changes between replays
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training as on a GPU: captured steps, on the CPU."""
    use_recorded(monkeypatch)
    yield


def use_recorded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cuda_graphs, "Captured", Recorded)
    patch.setattr(cuda_graphs, "Lane", Lane)
    patch.setattr(cuda_graphs.GraphSteps, "failure", "")  # what a test leaves in the process goes with it
    patch.setattr(
        cuda_graphs, "steps", lambda prepare, device, graph, streams: cuda_graphs.GraphSteps(prepare, streams)
    )


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def pairs(
    request: pytest.FixtureRequest, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Run, Run]]:
    """Every method by name, trained by plain steps and by recorded ones, all in one lockstep group."""
    trained = []
    for how in ("plain", "recorded"):
        folder = with_teachers(tmp_path_factory.mktemp(how) / "runs", tiny_folder)
        with pytest.MonkeyPatch.context() as patch:
            if how == "recorded":
                use_recorded(patch)
            trained.append(study.train_students(tiny(folder, precision=request.param, **COMMON)))
    return {plain.spec.method: (plain, replayed) for plain, replayed in zip(*trained, strict=True)}


@pytest.mark.parametrize("name", methods.METHODS)
def test_recorded_steps_are_the_plain_ones_bit_by_bit(name: str, pairs: dict[str, tuple[Run, Run]]) -> None:
    plain, replayed = pairs[name]
    assert replayed.provenance["sessions"][-1]["steps"] == "CUDA graphs"
    assert plain.provenance["sessions"][-1]["steps"] == "plain"
    same(plain, replayed)


def trained(folder: Path, tiny_folder: Path, **changes: object) -> Run:
    given: dict[str, Any] = COMMON | {"methods": ["kd"]} | changes
    return study.train_students(tiny(with_teachers(folder, tiny_folder), **given))[0]


def test_steps_that_overflow_are_left_out_in_a_replay(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scale far too large halves for many steps; what is asked of the device is part of what is recorded."""
    monkeypatch.setattr(loss_scale, "START", 2.0**40)
    given = {"precision": "fp16", "batch_size": 8}
    plain = trained(tmp_path / "plain", tiny_folder, **given)
    use_recorded(monkeypatch)
    same(plain, trained(tmp_path / "recorded", tiny_folder, **given))
    monkeypatch.setattr(loss_scale, "START", 2.0**10)
    assert differ(plain, trained(tmp_path / "smaller", tiny_folder, **given))  # where none is left out


def differ(one: Run, other: Run) -> bool:
    return any(not torch.equal(one.weights()[name], other.weights()[name]) for name in one.weights())


def test_a_weight_decay_in_python_is_found(
    recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: after each step Python moves the weights by a number that it counts on."""
    step, counted = Learner.step, iter(range(10**9))

    def faulty(learner: Learner, batch: Any) -> None:
        step(learner, batch)
        with torch.no_grad():
            learner.network.classifier.weight.mul_(1 - 1e-4 * next(counted))

    monkeypatch.setattr(Learner, "step", faulty)
    replayed = trained(tmp_path / "recorded", tiny_folder)
    monkeypatch.undo()
    counted = iter(range(10**9))
    monkeypatch.setattr(Learner, "step", faulty)
    assert differ(replayed, trained(tmp_path / "plain", tiny_folder))


def test_a_learning_rate_in_python_is_found(
    recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the optimiser is given a number in place of the tensor, so a replay never sees the drop."""
    begin = Learner.begin_epoch

    def faulty(learner: Learner) -> None:
        begin(learner)
        learner.optimizer.param_groups[0]["lr"] = learner.spec.lr_at(learner.epoch + 1)

    monkeypatch.setattr(Learner, "begin_epoch", faulty)
    replayed = trained(tmp_path / "recorded", tiny_folder)
    monkeypatch.undo()
    assert differ(replayed, trained(tmp_path / "plain", tiny_folder))


def test_a_tensor_that_nobody_restores_is_found(
    recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the warm-up's steps stay in the momenta."""
    changing = Learner.changing

    def faulty(learner: Learner) -> list[torch.Tensor]:
        momenta = [state["momentum_buffer"].data_ptr() for state in learner.optimizer.state.values()]
        return [tensor for tensor in changing(learner) if tensor.data_ptr() not in momenta]

    monkeypatch.setattr(Learner, "changing", faulty)
    replayed = trained(tmp_path / "recorded", tiny_folder)
    monkeypatch.undo()
    assert differ(replayed, trained(tmp_path / "plain", tiny_folder))


def test_a_step_that_reads_on_the_host_is_refused(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: ``if loss > 0``."""
    total = torch.ones(3, requires_grad=True)
    with pytest.raises(HostRead, match="_local_scalar_dense waits for the device"):
        Recorded(lambda: 1 if total.sum() > 0 else 0, [], Lane())


class Ending(Recorded[Any]):
    """As torch does it: what fails in a capture fails once more where the capture is ended, in other words."""

    made = 0

    def __init__(self, *given: Any) -> None:
        Ending.made += 1
        super().__init__(*given)
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")


def test_one_failed_capture_is_the_process_s_last_and_says_what_came_first(
    recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graphs, "Captured", Ending)
    monkeypatch.setattr(Ending, "made", 0)
    for number in range(2):
        (session,) = trained(tmp_path / str(number), tiny_folder).provenance["sessions"]
        why = "plain, since a capture failed: RuntimeError: operation not permitted when stream is capturing"
        assert session["steps"] == why
    assert Ending.made == 1


@pytest.mark.parametrize("ends", [True, False])
def test_memory_that_runs_out_in_a_capture_halves_the_group(
    ends: bool, recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the capture can be ended, the next group captures again; where it cannot, it goes by plain steps."""
    made = iter(range(10**9))

    class Full(Recorded[Any]):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            if next(made) == 2:  # the batch, the first learner, the second
                try:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                finally:
                    if not ends:
                        raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(cuda_graphs, "Captured", Full)
    sessions = trained(tmp_path / "runs", tiny_folder, methods=["kd", "frozen"]).provenance["sessions"]
    assert [len(session["group"]) for session in sessions] == [2, 1]
    failed = "plain, since a capture failed: OutOfMemoryError: CUDA out of memory."
    assert sessions[-1]["steps"] == ("CUDA graphs" if ends else failed)


def test_what_a_method_says_of_its_error_is_not_looked_behind() -> None:
    with pytest.raises(ValueError) as raised:
        try:
            {}["weight"]
        except KeyError as error:
            raise ValueError("no weight was given") from error
    assert devices.root(raised.value) is raised.value


class Streams:
    """torch.cuda's current stream, without CUDA: names in the place of streams."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.current = Named("default")
        patch.setattr(torch.cuda, "current_stream", lambda *_: self.current)
        patch.setattr(torch.cuda, "set_stream", lambda stream: setattr(self, "current", stream))
        patch.setattr(torch.cuda, "stream", self.on)
        for name in ("synchronize", "empty_cache"):
            patch.setattr(torch.cuda, name, lambda: None)
        patch.setattr(torch._C, "_host_emptyCache", lambda: None, raising=False)

    @contextmanager
    def on(self, stream: "Named") -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before


class Named(str):
    def wait_stream(self, _: object) -> None:
        """Nothing runs beside."""


@pytest.mark.parametrize("ends", [True, False])
def test_after_a_capture_work_goes_where_it_went_before(ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own context of a capture leaves its stream the current one where the capture cannot be ended."""
    streams, calls = Streams(monkeypatch), list[str]()

    class Graph:
        def capture_begin(self, *_: object, **__: object) -> None:
            calls.append(f"begin on {streams.current}")

        def capture_end(self) -> None:
            calls.append(f"end on {streams.current}")
            if not ends:
                raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    lane = SimpleNamespace(stream=Named("lane"), pool=None)
    with nullcontext() if ends else pytest.raises(RuntimeError, match="previous error"):
        cuda_graphs.Captured(lambda: calls.append(f"work on {streams.current}"), [], lane)  # type: ignore[arg-type]
    assert calls[-3:] == ["begin on lane", "work on lane", "end on lane"]
    assert streams.current == "default"


def test_where_a_capture_fails_training_goes_on_and_says_so(
    recorded: None, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A driver that refuses the second learner's capture: the numbers are those of plain steps, the name of the error
    stands in what is printed and in the provenance."""
    made: list[int] = []

    class Refusing(Recorded[Any]):
        def __init__(self, *given: Any) -> None:
            made.append(1)
            super().__init__(*given)
            if len(made) == 3:
                raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(cuda_graphs, "Captured", Refusing)
    given = {"methods": ["kd", "frozen"]}
    went_on = trained(tmp_path / "refused", tiny_folder, **given)
    message = "RuntimeError: operation not permitted when stream is capturing"
    assert f"CUDA graphs are not used: {message}\n" in capsys.readouterr().out
    assert went_on.provenance["sessions"][-1]["steps"] == f"plain, since a capture failed: {message}"
    monkeypatch.undo()
    same(went_on, trained(tmp_path / "plain", tiny_folder, **given))
