"""CUDA graphs: at batch 64 the launch of kernels, not their work, is what takes the time."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from kdnb.learner import Learner
from kdnb.models import Output

T = TypeVar("T")
Batch = tuple[Tensor, Tensor, Output | None]  # images, labels, the teacher's outputs
WARM_UPS = 3  # cuDNN chooses its algorithms and the optimiser makes its state before the capture


class Captured(Generic[T]):
    """``function``, captured once and replayed at each call; its inputs and ``result`` are at fixed addresses.

    The warm-up before the capture changes ``state`` (weights, buffers, sums); it is put back in place afterwards.
    """

    def __init__(self, function: Callable[[], T], state: Sequence[Tensor]) -> None:
        before = [tensor.detach().clone() for tensor in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                function()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.result = function()

    def __call__(self) -> None:
        """Run it again on what its inputs hold now."""
        self.graph.replay()


class PlainSteps:
    """Runs each operation as it comes: the twin that the CUDA graphs are compared with."""

    def __init__(self, prepare: Callable[[Tensor, Tensor], Batch]) -> None:
        self.prepare = prepare

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        batch = self.prepare(indices, views)
        for learner in learners:
            learner.step(*batch)


class GraphSteps:
    """Captures the batch and each learner's step as CUDA graphs, one set for each batch size, and replays them."""

    def __init__(self, prepare: Callable[[Tensor, Tensor], Batch]) -> None:
        self.prepare = prepare
        self.inputs: dict[int, tuple[Tensor, Tensor]] = {}
        self.batches: dict[int, Captured[Batch]] = {}
        self.steps: dict[tuple[int, int], Captured[None]] = {}

    def __call__(self, indices: Tensor, views: Tensor, learners: Sequence[Learner]) -> None:
        """One step of every learner on the same batch."""
        size = len(indices)
        if size not in self.inputs:
            self.inputs[size] = indices.clone(), views.clone()
            self.batches[size] = Captured(lambda: self.prepare(*self.inputs[size]), [])
        self.inputs[size][0].copy_(indices)
        self.inputs[size][1].copy_(views)
        self.batches[size]()
        for learner in learners:
            self._captured(size, learner)()

    def _captured(self, size: int, learner: Learner) -> Captured[None]:
        key = size, id(learner)
        if key not in self.steps:
            batch = self.batches[size].result
            self.steps[key] = Captured(lambda: learner.step(*batch), learner.changing())
        return self.steps[key]
