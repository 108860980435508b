"""CUDA graphs: at batch 64 the launch of kernels, not their work, is what takes the time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from kdnb import device as devices
from kdnb.train.learner import Batch, Learner

T = TypeVar("T")
Prepare = Callable[[Tensor, Tensor], Batch]
WARM_UPS = 3  # cuDNN chooses its algorithms and the optimiser makes its state before the capture


class PlainSteps:
    """Runs each operation as it comes: the twin that the CUDA graphs are compared with."""

    how = "plain"

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        batch = self.prepare(indices, views)
        for learner in learners:
            learner.attempt(batch)


@contextmanager
def unchanged(state: Sequence[Tensor]) -> Iterator[None]:
    """Put the values of ``state`` back in place at the end, also after an error."""
    before = [tensor.detach().clone() for tensor in state]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)


class Captured(Generic[T]):
    """``function``, captured once and replayed at each call; its inputs and ``result`` are at fixed addresses.

    The warm-up before the capture changes ``state`` (weights, buffers, sums); it is put back in place afterwards.
    Functions of one ``lane`` lend each other the memory they need while they run: they must never run side by side.
    """

    def __init__(self, function: Callable[[], T], state: Sequence[Tensor], lane: "Lane") -> None:
        with unchanged(state):
            lane.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(lane.stream):
                for _ in range(WARM_UPS):
                    function()
            torch.cuda.current_stream().wait_stream(lane.stream)
        self.lane, self.graph = lane, torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(self.graph, pool=lane.pool, stream=lane.stream):
                self.result = function()
        finally:
            torch.cuda.set_stream(current)  # where a capture cannot be ended, torch stays on the lane's

    def __call__(self) -> None:
        """Run it again on what its inputs hold now, after what the current stream has in its queue."""
        self.lane.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.lane.stream):
            self.graph.replay()


class Lane:
    """A CUDA stream and the memory that the graphs replayed on it share."""

    def __init__(self) -> None:
        self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def finish(self) -> None:
        """Let the current stream wait for it."""
        torch.cuda.current_stream().wait_stream(self.stream)


class GraphSteps:
    """Captures the batch and each learner's step as CUDA graphs, one set for each batch size, and replays them.

    ``streams``: the learners take turns on so many lanes, which run side by side. Where a capture fails, it says so and
    goes on with plain steps, in later groups of the process as well: they give the same numbers, only later.
    """

    failure: ClassVar[str] = ""  # of the process: torch's allocator still waits for the capture that failed to end

    def __init__(self, prepare: Prepare, streams: int) -> None:
        self.prepare = prepare
        self.plain = PlainSteps(prepare)
        self.batch_lane, self.lanes = Lane(), [Lane() for _ in range(streams)]
        self.inputs: dict[int, tuple[Tensor, Tensor]] = {}
        self.batches: dict[int, Captured[Batch]] = {}
        self.steps: dict[tuple[int, int], Captured[None]] = {}

    @property
    def how(self) -> str:
        """CUDA graphs, or why not."""
        return f"plain, since a capture failed: {self.failure}" if self.failure else "CUDA graphs"

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        captured = [] if self.failure else self._captured(indices, views, learners)
        if self.failure:
            self.plain(indices, views, learners)
        for step in captured:
            step()
        for lane in self.lanes:
            lane.finish()

    def _captured(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> list["Captured[None]"]:
        """The steps to replay on this batch; none, and the failure noted, where one cannot be captured."""
        try:
            batch = self._batch(indices, views)
            return [self._step(batch, learner) for learner in learners]
        except Exception as error:  # whatever the driver, torch or a method of one's own comes up with
            # No learner has taken this batch's step yet: captures come before replays.
            first, full = devices.root(error), devices.is_out_of_memory(error)
            if first is not error or not full:  # else memory ran out, and the capture ended well
                self._give_up(first)
            if full:
                raise  # a smaller group may fit
            return []

    @staticmethod
    def _give_up(error: BaseException) -> None:
        line = str(error).partition("\n")[0]
        GraphSteps.failure = f"{type(error).__name__}: {line}"
        print(
            f"WARNING: CUDA graphs are not used: {GraphSteps.failure}\n"
            "Training goes on with plain steps: slower, the same numbers. cuda_graph=False asks for them at once.",
            flush=True,
        )

    def _batch(self, indices: Tensor, views: Tensor) -> Batch:
        size = len(indices)
        if size not in self.inputs:
            self.inputs[size] = indices.clone(), views.clone()
            self.batches[size] = Captured(lambda: self.prepare(*self.inputs[size]), [], self.batch_lane)
        # A graph reads where its capture read, so what is new goes there.
        for fixed, new in zip(self.inputs[size], (indices, views), strict=True):
            fixed.copy_(new)
        self.batches[size]()
        self.batch_lane.finish()
        return self.batches[size].result

    def _step(self, batch: Batch, learner: Learner) -> Captured[None]:
        key = len(batch.labels), id(learner)
        if key not in self.steps:
            lane = self.lanes[len(self.steps) % len(self.lanes)]
            self.steps[key] = Captured(lambda: learner.step(batch), learner.changing(), lane)
        return self.steps[key]


Steps = PlainSteps | GraphSteps


def steps(prepare: Prepare, device: torch.device, cuda_graph: bool, streams: int) -> Steps:
    """Captured steps on CUDA, where ``cuda_graph`` allows it; plain ones everywhere else."""
    return GraphSteps(prepare, streams) if device.type == "cuda" and cuda_graph else PlainSteps(prepare)
