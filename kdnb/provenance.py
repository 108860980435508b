"""How a result came about: versions, code, hardware, times. Recorded, never compared."""

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kdnb import device as devices

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")
# The rest of the package may change without a run being trained again.
READING_HALF = {
    "__init__",
    "__main__",
    "book",
    "claims",
    "compare",
    "controls",
    "display",
    "drawn",
    "embed",
    "evidence",
    "explorer",
    "geometry",
    "literature",
    "notebook",
    "paths",
    "predicates",
    "progress",
    "publish",
    "published",
    "stale",
    "stats",
    "status",
    "stitch",
    "verdicts",
}


def sources() -> list[str]:
    """Every source file of the package."""
    return sorted(str(file) for file in Path(__file__).parent.rglob("*.py"))


def training_sources() -> list[str]:
    """The source files that a trained run depends on."""
    reading = {"figures", "analysis", "pictures"}
    files = [Path(file) for file in sources()]
    return [str(file) for file in files if not reading & set(file.parts) and file.stem not in READING_HALF]


def code_digest() -> str:
    """sha256 over the sources that a trained run depends on."""
    files = [Path(file) for file in training_sources()]
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def describe(device: torch.device) -> dict[str, Any]:
    """What this session computes with."""
    return {
        "started": now(),
        "hardware": {"device": devices.describe(device), "machine": platform.machine(), "cpu": _cpu()},
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "code": code_digest(),
    }


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*words: str) -> str | None:
    """What git says of the folder of the package; None where it is not a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
