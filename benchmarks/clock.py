"""How time is taken."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What ``work`` returns, and the seconds until the device has done it all.

    With one thread on a CPU they are this process's own, which other programs disturb least. A loader's worker
    processes are then free of charge, in favour of the usual loop. Otherwise they are the wall's.
    """
    clock = time.process_time if torch.get_num_threads() == 1 and not _on_cuda() else time.perf_counter
    start = clock()
    result = work()
    if _on_cuda():
        torch.cuda.synchronize()
    return result, clock() - start


def _on_cuda() -> bool:
    return bool(torch.cuda.is_initialized())
