"""A study of seconds for clusters and faults: digits, small networks, each in folders of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from kdnb.runs import Run

ROOT = Path(__file__).parents[2]
SMALL = {"limit": 128, "epochs": 3, "teacher_model": "resnet8"}


class Study:
    """The Snakefile on a small configuration; ``common`` and ``students`` as configurations have them."""

    def __init__(
        self,
        folder: Path,
        students: dict[str, Any],
        common: dict[str, Any],
        environment: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.runs, self.build = folder, folder / "runs" / "digits", folder / "build"
        content = {"profile": "digits", "teachers": [0, 1], "students": students, "common": {**SMALL, **common}}
        content |= {"gpus_a_job": 0, "discard_stale": False, "build": str(self.build), **settings}
        self.config = folder / "small.yaml"
        self.config.write_text(yaml.safe_dump(content))
        around = environment or dict(os.environ)
        self.environment = {
            **around,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{around['PATH']}",
            "KDNB_RUNS": str(folder / "runs"),
            "OMP_NUM_THREADS": "1",
        }

    def start(self, on: str, targets: list[str], *options: str) -> subprocess.Popen[str]:
        """Start Snakemake as profiles/ON says."""
        command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(ROOT), "--configfile", str(self.config), "--nolock"]
        command += ["--workflow-profile", str(ROOT / "profiles" / on), *options]
        with (self.folder / f"said-{on}.txt").open("a") as said:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=said, stderr=subprocess.STDOUT, text=True
            )

    def said(self, on: str) -> str:
        """What Snakemake said there, in all calls."""
        return (self.folder / f"said-{on}.txt").read_text()

    def __call__(self, targets: list[str], *options: str, fails: bool = False) -> str:
        """Run it here to its end; what it said in all calls."""
        process = self.start("local", targets, *options)
        assert (process.wait() != 0) == fails, self.said("local")
        return self.said("local")

    def run(self, name: str) -> Run:
        """A run, by the beginning of its name."""
        (place,) = self.runs.glob(f"{name}*")
        return Run(place)

    def epochs(self, name: str) -> int:
        """How many epochs of a run are stored."""
        places = list(self.runs.glob(f"{name}*"))
        if not places:
            return 0
        run = Run(places[0])
        if run.finished:
            return run.spec.epochs
        checkpoint = run.read_checkpoint()
        return len(checkpoint.history) if checkpoint else 0

    def half_written(self) -> list[Path]:
        """Temporary files that a write left behind."""
        return [file for file in self.folder.rglob(".*.tmp")]
