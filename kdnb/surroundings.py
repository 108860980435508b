"""Where code runs: before somebody at a kernel, or for a page."""

import os
import sys

from kdnb.checks import choice


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
