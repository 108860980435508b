"""How a result came about: versions, code, hardware, times. Recorded, never compared."""

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

import kdnb
from kdnb import device as devices
from kdnb import methods
from kdnb.runs import Run

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


def method_digest(name: str) -> str:
    """sha256 over the files that define method ``name``."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in methods.files(name))).hexdigest()


def counted(run: Run) -> list[dict[str, Any]]:
    """The sessions that trained ``run``, and its last: not those that ended before another began in their place."""
    sessions = run.provenance["sessions"]
    trained = [one for one, later in pairwise(sessions) if later["first_epoch"] > one["first_epoch"]]
    return [*trained, *sessions[-1:]]


def is_of_other_code(run: Run, code: str) -> bool:
    """Whether a session that counts ran code with another digest than ``code``."""
    return any(session["code"] != code for session in counted(run))


def check_method(run: Run) -> None:
    """ValueError where ``run``, which has results, would go on with another formula: its method's file was changed."""
    if run.finished:
        return
    name = run.spec.method
    now, file = method_digest(name), methods.METHODS[name].__module__
    if any(session.get("method", now) != now for session in counted(run)):
        raise ValueError(
            f"{run.path} is trained in part, and the file of method {name!r} ({file}) was changed since: the rest "
            "would be of another formula. Put the file back, choose another output_dir, or move that folder away to "
            "train the run anew."
        )


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
