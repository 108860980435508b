"""CUDA graphs: at batch 64 the launch of kernels, not their work, is what takes the time."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from kdnb.batch import Batch
from kdnb.learner import Learner

T = TypeVar("T")
Prepare = Callable[[Tensor, Tensor], Batch]
WARM_UPS = 3  # cuDNN chooses its algorithms and the optimiser makes its state before the capture


class Steps(Protocol):
    """One step of every learner on the same batch: indices and views, int64 B each."""

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None: ...


def steps(prepare: Prepare, device: torch.device, cuda_graph: bool, streams: int) -> Steps:
    """Captured steps on CUDA, where ``cuda_graph`` allows it; plain ones everywhere else."""
    return GraphSteps(prepare, streams) if device.type == "cuda" and cuda_graph else PlainSteps(prepare)


class PlainSteps:
    """Runs each operation as it comes: the twin that the CUDA graphs are compared with."""

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        batch = self.prepare(indices, views)
        for learner in learners:
            learner.step(batch)


class Captured(Generic[T]):
    """``function``, captured once and replayed at each call; its inputs and ``result`` are at fixed addresses.

    The warm-up before the capture changes ``state`` (weights, buffers, sums); it is put back in place afterwards.
    Functions of one ``lane`` lend each other the memory they need while they run: they must never run side by side.
    """

    def __init__(self, function: Callable[[], T], state: Sequence[Tensor], lane: "Lane") -> None:
        before = [tensor.detach().clone() for tensor in state]
        lane.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(lane.stream):
            for _ in range(WARM_UPS):
                function()
        torch.cuda.current_stream().wait_stream(lane.stream)
        with torch.no_grad():
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
        self.lane, self.graph = lane, torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=lane.pool, stream=lane.stream):
            self.result = function()

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

    ``streams``: the learners take turns on so many lanes, which run side by side.
    """

    def __init__(self, prepare: Prepare, streams: int) -> None:
        self.prepare = prepare
        self.batch_lane, self.lanes = Lane(), [Lane() for _ in range(streams)]
        self.inputs: dict[int, tuple[Tensor, Tensor]] = {}
        self.batches: dict[int, Captured[Batch]] = {}
        self.steps: dict[tuple[int, int], Captured[None]] = {}

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        batch = self._batch(indices, views)
        captured = [self._step(batch, learner) for learner in learners]
        for step in captured:
            step()
        for lane in self.lanes:
            lane.finish()

    def _batch(self, indices: Tensor, views: Tensor) -> Batch:
        size = len(indices)
        if size not in self.inputs:
            self.inputs[size] = indices.clone(), views.clone()
            self.batches[size] = Captured(lambda: self.prepare(*self.inputs[size]), [], self.batch_lane)
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
