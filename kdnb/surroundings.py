"""Where code runs: before somebody at a kernel, for a page, on a machine of Colab's that a disconnect loses."""

import os
import sys
from pathlib import Path

from kdnb import paths
from kdnb.checks import choice

DRIVE = Path("/content/drive")  # where Colab's folder icon mounts it
OF_DRIVE = ("MyDrive", "My Drive", "Shareddrives", "Shared drives")  # what a mounted Drive holds, wherever it is


def is_live() -> bool:
    """Say whether somebody sits before this kernel, so that figures are shown natively.

    KDNB_DISPLAY=static or =live decides; the workflow and the book's build set it. Without it a kernel is live in
    Colab, in VS Code, and where a Jupyter server started it for an open notebook (it then sets JPY_SESSION_NAME);
    papermill, nbmake and nbclient start kernels by themselves, so everything else is static.

    Raises: ValueError when KDNB_DISPLAY is neither.
    """
    if asked := os.environ.get("KDNB_DISPLAY"):
        return choice("KDNB_DISPLAY", asked, ("static", "live")) == "live"
    return "google.colab" in sys.modules or bool({"JPY_SESSION_NAME", "VSCODE_PID"} & os.environ.keys())


def lasting(folder: str | Path) -> Path:
    """The path ``folder``, unless it is Google Drive's in name only: on Colab's own disk, which a disconnect loses.

    Raises: FileNotFoundError when this is Colab and no Drive is mounted where ``folder`` says; NotADirectoryError when
    it is a file, or lies below one.
    """
    path = paths.given(folder)
    whole = path.resolve()
    for part in filter(os.path.isfile, [whole, *whole.parents]):
        raise NotADirectoryError(f"{folder} is no folder: {part} is a file. Name a folder.")
    drive = _drive(path)
    if drive is not None and not drive.is_mount():
        raise FileNotFoundError(
            f"{folder} is on no Drive: none is mounted at {drive}, and Colab's own disk is lost when it disconnects. "
            f"Mount it (the folder icon, or `from google.colab import drive; drive.mount('{drive}')`), or name a "
            "folder elsewhere."
        )
    return path


def own_disk(folder: Path) -> Path:
    """``folder``, or where that is on Google Drive one of Colab's own disk: for what is large and can be made again."""
    return paths.root() / "runs" if _drive(folder) else folder


def _drive(path: Path) -> Path | None:
    """Where the Drive of ``path`` is, or would be, mounted; None where it names none, and outside Colab."""
    # COLAB_RELEASE_TAG: in Colab's terminal and `!python -m kdnb` there is no google.colab.
    if "google.colab" not in sys.modules and "COLAB_RELEASE_TAG" not in os.environ:
        return None
    upwards = [path.resolve(), *path.resolve().parents]
    return next((part.parent for part in upwards if part.name in OF_DRIVE), DRIVE if DRIVE in upwards else None)
