"""Run the whole study of a profile: ``python tools/study.py digits``; on a cluster: ``... cifar100 slurm``.

Starts Snakemake after making sure that no other study runs here; what a killed one left locked or half done is taken
up. Where some students cannot be finished it builds the book of the others, which says so, and fails.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from kdnb.checks import choice

ROOT = Path(__file__).resolve().parents[1]


def snakemake(profile: str, on: str, *options: str) -> int:
    """Run Snakemake on a profile's configuration, where profiles/ON says; its exit status."""
    command = [sys.executable, "-m", "snakemake", "--configfile", f"config/{profile}.yaml"]
    command += ["--workflow-profile", f"profiles/{on}", *options]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(profile: str = "digits", on: str = "local") -> int:
    """Run the study; say how long it took and where the book is."""
    try:
        choice("profile", profile, (file.stem for file in (ROOT / "config").glob("*.yaml")))
        choice("place", on, (file.parent.name for file in (ROOT / "profiles").glob("*/config.yaml")))
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    (ROOT / "build").mkdir(exist_ok=True)
    start = time.monotonic()
    try:
        # The system's own lock or none: the soft one in its place would outlive a study that is killed.
        with FileLock(ROOT / "build" / "study.lock", blocking=False, fallback_to_soft=False):
            if any((ROOT / ".snakemake" / "locks").glob("*")):  # a killed study's
                snakemake(profile, on, "--unlock", "--quiet", "all")
            status = snakemake(profile, on)
            if status:
                print("Not everything was finished, see above; the same command goes on. The book of what is there:")
                snakemake(profile, on, "--config", "train=False")
    except Timeout:
        print("a study is running here already; wait for it, or stop it first.", file=sys.stderr)
        return 2
    page = ROOT / "build" / profile / "book" / "index.html"
    if status == 0:
        print(f"Done in {time.monotonic() - start:.0f} s. Open {page.as_uri()}")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
