"""CUDA graphs without CUDA: a step's ATen operations are recorded once, and run again into the very same tensors.

What a graph freezes is frozen here, too: no line of Python runs in a replay, every operation reads and writes where it
did when it was recorded. So a step that reads a Python number which changes, that waits for a value on the host, or
that changes a tensor which nobody restores, shows on a CPU.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kdnb.train.cuda_graphs import WARM_UPS, unchanged

T = TypeVar("T")
READS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique", "equal", "is_nonzero")
DRAWS = ("rand", "bernoulli", "normal", "uniform", "multinomial", "exponential")


class HostRead(AssertionError):
    """The step waits for a value on the host: a capture would fail."""


class Recorder(TorchDispatchMode):
    """Keeps every operation with the tensors it read and those it made."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        if name.startswith(READS):
            raise HostRead(f"{name} waits for the device")
        assert not name.startswith(DRAWS), f"{name} draws anew in each replay on CUDA; draw before the step"
        result = func(*args, **(kwargs or {}))
        made = [out for out in tree_leaves(result) if isinstance(out, Tensor)]
        given = {a.untyped_storage().data_ptr() for a in tree_leaves((args, kwargs)) if isinstance(a, Tensor)}
        fresh = [out for out in made if out.untyped_storage().data_ptr() not in given]
        if fresh or func._schema.is_mutable:  # a view needs no second run: its memory is its base's
            self.operations.append((func, args, kwargs or {}, made if fresh else []))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        """Run all of it again; what was fresh is written where it was."""
        for func, args, kwargs, made in self.operations:
            again = [out for out in tree_leaves(func(*args, **kwargs)) if isinstance(out, Tensor)]
            for place, value in zip(made, again, strict=False):
                if place.data_ptr() != value.data_ptr():
                    place.detach().copy_(value)


class Recorded(Generic[T]):
    """In the place of :class:`kdnb.train.cuda_graphs.Captured`: warmed up, recorded without a trace, replayed."""

    def __init__(self, function: Callable[[], T], state: Sequence[Tensor], lane: object) -> None:
        with unchanged(state):
            for _ in range(WARM_UPS):
                function()
        self.recorder = Recorder()
        with unchanged(state), self.recorder:  # a capture computes nothing
            self.result = function()

    def __call__(self) -> None:
        """Run it again on what its inputs hold now."""
        self.recorder.replay()


class Lane:
    """In the place of :class:`kdnb.train.cuda_graphs.Lane`."""

    def finish(self) -> None:
        """Nothing runs beside."""
