"""Where and how precisely to compute."""

import ctypes
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch

from kdnb.checks import choice

# What convolutions compute in; master weights, classifier, losses and mu are fp32 in all of them. fp32 is exact
# everywhere; tf32 lets CUDA round the inputs; bf16 and fp16 are half as wide. fp16 is for GPUs that have no bf16.
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # glibc's malloc.h


class DeviceLost(RuntimeError):
    """The device failed in the middle of the work; finished epochs are stored."""


def choose(name: str) -> torch.device:
    """The device called ``auto`` (CUDA, else Apple's MPS, else CPU), ``cuda``, ``mps`` or ``cpu``.

    Raises ValueError when a device is asked for by name and is not there: never a silent fallback.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice("device", name, [*present, "auto"]) == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    if not present[name]:
        raise ValueError(f"device {name!r} was asked for, and this machine has none; use device='auto' or 'cpu'.")
    return torch.device(name)


def natural_precision(device: torch.device) -> str:
    """What precision 'auto' means on ``device``: bf16 where the hardware has it, on older GPUs fp16, else fp32."""
    if device.type == "cuda":
        half = "fp16" if torch.cuda.get_device_capability(device) >= (7, 0) else "fp32"
        return "bf16" if has(device, "bf16") else half
    return "bf16" if device.type == "cpu" and _cpu_has_bf16() else "fp32"


def has(device: torch.device, precision: str) -> bool:
    """Whether ``device`` computes in ``precision``; what torch emulates, such as bf16 on a T4, does not count."""
    if precision not in ("tf32", "bf16") or device.type != "cuda":
        return precision != "tf32"
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _cpu_has_bf16() -> bool:
    information = Path("/proc/cpuinfo")
    return information.exists() and any(flag in information.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def configure(device: torch.device, precision: str) -> None:
    """Prepare ``device`` for training in ``precision``; matrix products stay exact, the account needs them.

    Raises ValueError for a precision that is unknown or that the device does not have.
    """
    choice("precision", precision, PRECISIONS)
    if not has(device, precision):
        other = "fp16" if device.type == "cuda" else "fp32"
        raise ValueError(
            f"precision {precision!r} wants a GPU of compute capability 8.0 or more, and the device is "
            f"{describe(device)}; use {other!r} or 'auto'."
        )
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cpu":
        keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep what is freed; otherwise it maps and zeroes large tensors anew each step (benchmarks/log.md)."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 2**30)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which a network's forward pass runs."""
    half = PRECISIONS[precision]
    return torch.autocast(device.type, half, enabled=half is not None)


def root(error: BaseException) -> BaseException:
    """What went wrong first, where cleaning up failed as well: ending a CUDA capture that failed says only that."""
    while error.__context__ is not None and not error.__suppress_context__:
        error = error.__context__
    return error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device's memory ran out; CUDA's libraries say so in errors of their own, which torch passes on."""
    first = root(error)
    return isinstance(first, RuntimeError) and bool(re.search("out of memory|STATUS_ALLOC_FAILED", str(first)))


def is_to_blame(error: BaseException) -> bool:
    """Whether ``error`` is the device's, not of the code that it ran."""
    return is_out_of_memory(error) or "CUDA error" in str(error)


@contextmanager
def failures_explained(device: torch.device) -> Iterator[None]:
    """Turn what torch says of a device that fails into DeviceLost, or where it is full into MemoryError, with the way
    out."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryError(
                f"{device} has no room for data, teacher and teacher table: {_said(root(error))}. Free memory (of "
                "other notebooks, too), use teacher_outputs='live', or device='cpu'."
            ) from error
        if "CUDA error" not in str(error):
            raise
        raise DeviceLost(
            f"{device} failed: {_said(error)}. Finished epochs are stored; once it works again (or with "
            "device='cpu') the same command goes on from there, in a new process."
        ) from error


def _said(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def describe(device: torch.device) -> str:
    """The hardware's name, for provenance."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
