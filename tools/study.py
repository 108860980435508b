"""Run the whole study of a profile: ``python tools/study.py digits``.

Starts Snakemake after making sure that no other study runs here; what a killed one left locked or half done is taken
up.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parents[1]


def snakemake(profile: str, *options: str) -> int:
    """Run Snakemake on a profile's configuration; its exit status."""
    command = [sys.executable, "-m", "snakemake", "--configfile", f"config/{profile}.yaml", "--cores", "2", *options]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(profile: str) -> int:
    """Run the study; say how long it took and where the book is."""
    known = sorted(file.stem for file in (ROOT / "config").glob("*.yaml"))
    if profile not in known:
        print(f"unknown profile {profile!r}; known: {', '.join(known)}.", file=sys.stderr)
        return 2
    (ROOT / "build").mkdir(exist_ok=True)
    start = time.monotonic()
    try:
        # The system's own lock or none: the soft one in its place would outlive a study that is killed.
        with FileLock(ROOT / "build" / "study.lock", blocking=False, fallback_to_soft=False):
            if any((ROOT / ".snakemake" / "locks").glob("*")):  # a killed study's
                snakemake(profile, "--unlock", "--quiet", "all")
            status = snakemake(
                profile,
                "--rerun-incomplete",
                "--keep-going",
                "--show-failed-logs",
                "--resources",
                "gpu=1",
                "--quiet",
                "rules",
            )
    except Timeout:
        print("a study is running here already; wait for it, or stop it first.", file=sys.stderr)
        return 2
    if status == 0:
        page = ROOT / "build" / profile / "book" / "index.html"
        print(f"Done in {time.monotonic() - start:.0f} s. Open {page.as_uri()}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "digits"))
