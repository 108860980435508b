"""How a result came about: versions, code, hardware, times. Recorded, never compared."""

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import kdnb
from kdnb import device as devices

PACKAGE = Path(kdnb.__file__).parent
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")
# What a trained run depends on: these folders, and the modules of the package's root that all may use.
TRAINING_ROOMS = ("data", "losses", "methods", "measure", "runs", "train")


def sources() -> list[str]:
    """Every source file of the package."""
    return sorted(str(file) for file in PACKAGE.rglob("*.py"))


def training_sources() -> list[str]:
    """The source files that a trained run depends on: whole folders, so that no file can be forgotten."""
    rooms = [file for room in TRAINING_ROOMS for file in (PACKAGE / room).rglob("*.py")]
    root = set(PACKAGE.glob("*.py")) - {PACKAGE / "__main__.py"}  # which stands above all rooms
    return sorted(map(str, [*root, *rooms]))


def code_digest() -> str:
    """sha256 over the sources that a trained run depends on."""
    files = [Path(file) for file in training_sources()]
    return hashlib.sha256(
        b"".join(str(file.relative_to(PACKAGE)).encode() + file.read_bytes() for file in files)
    ).hexdigest()


def describe(device: torch.device) -> dict[str, Any]:
    """What this session computes with."""
    return {
        "started": now(),
        "hardware": {"device": devices.describe(device), "machine": platform.machine(), "cpu": _cpu()},
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": git(PACKAGE, "rev-parse", "HEAD"),
        "uncommitted_changes": bool(git(PACKAGE, "status", "--porcelain")),
        "code": code_digest(),
    }


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def git(folder: Path, *words: str) -> str | None:
    """What git says of ``folder``; None where it is no checkout, or there is no git."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
