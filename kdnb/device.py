"""Where and how precisely to compute."""

from contextlib import AbstractContextManager

import torch

from kdnb.checks import choice

# fp32 is exact everywhere; tf32 lets CUDA convolutions round their inputs; bf16 computes the convolutions in bfloat16.
# Master weights, classifier, losses and mu are fp32 in all of them.
PRECISIONS = ("fp32", "tf32", "bf16")


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


def configure(device: torch.device, precision: str) -> None:
    """Set the rounding of CUDA's convolutions to ``precision``; matrix products stay exact, the account needs them."""
    choice("precision", precision, PRECISIONS)
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(f"precision 'tf32' exists on CUDA only, and the device is {device.type}; use 'fp32'.")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = False


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which a network's forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def describe(device: torch.device) -> str:
    """The hardware's name, for provenance."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
