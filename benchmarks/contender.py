"""A loop in a process of its own: its global settings, its allocator and its peak memory are nobody else's."""

import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from benchmarks.clock import timed
from benchmarks.loops import Loop

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Entry:
    """What takes part: ``make`` builds the loop (it must pickle), a block is ``amount`` steps or images of it."""

    make: Callable[[], Loop]
    amount: int


class Block(NamedTuple):
    """One block's result: images/s, mean loss, and the peak of memory (bytes) so far."""

    rate: float
    loss: float
    peak: float


class Contender:
    """A process that builds the loop of ``entry``, warms it up, and runs a block whenever it is told to.

    ``blocks`` are the timed ones; ``first`` is the warm-up, in which all see the same images, views and seed.
    """

    def __init__(self, entry: Entry, warm_up: int) -> None:
        self.amount, self.blocks = entry.amount, list[Block]()
        self._pipe, far = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(far, entry.make))
        self._process.start()
        far.close()
        self._pipe.send(warm_up)

    def ready(self) -> bool:
        """Wait until it is built and warm; False when it failed (its process has said why)."""
        try:
            self.first: Block = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            return False
        return True

    def run(self) -> None:
        """Run and time one block."""
        self._pipe.send(self.amount)
        self.blocks.append(self._pipe.recv())

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, make: Callable[[], Loop]) -> None:
    """Answer each amount with a block, until the pipe closes."""
    loop = make()
    while True:
        try:
            amount = pipe.recv()
        except EOFError:
            return
        images, seconds = timed(partial(loop.run, amount))
        pipe.send(Block(images / seconds, loop.loss(), peak_memory()))


def peak_memory() -> float:
    """Bytes: what tensors took of the GPU at most; without one, what this process took of the machine."""
    if torch.cuda.is_initialized():
        return float(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


@contextmanager
def _processes(entries: Mapping[str, Entry], warm_up: int) -> Iterator[dict[str, Contender]]:
    contenders = {name: Contender(entry, warm_up) for name, entry in entries.items()}
    try:
        yield contenders
    finally:
        for contender in contenders.values():
            contender.close()


def measure(entries: Mapping[str, Entry], rounds: int, warm_up: int) -> dict[str, Contender]:
    """Warm all up, then ``rounds`` times one block of each in turn; what failed to start is left out, with a line."""
    with _processes(entries, warm_up) as contenders:
        fit = {name: one for name, one in contenders.items() if one.ready()}
        for name in contenders.keys() - fit.keys():
            print(f"- {name}: failed to start, and is left out", flush=True)
        for _ in range(rounds):
            for contender in fit.values():
                contender.run()
    return fit
