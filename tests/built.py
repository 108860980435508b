"""The book of the published results, built as `make book` does, elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def from_results(folder: Path) -> Path:
    """Execute the chapters on results/ and build the book, all under ``folder``; return the book's folder."""
    words = [sys.executable, "-m", "snakemake", "--configfile", "config/results.yaml", "--config", f"build={folder}"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*words, "--cores", "2", "--nolock"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "book"
