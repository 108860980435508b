"""A checkout of the repository in a folder of a test's own, as small as the workflow allows, with a tiny study."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from moto.server import ThreadedMotoServer

from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train import study

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {"limit": 128, "epochs": 2, "teacher_model": "resnet8"}
STUDENTS: dict[str, Any] = {"methods": ["normal", "kd"], "temperatures": [4], "bystander_seed": None}
NAMES = ["kd-T4-a0.9-wd0.0005-s0", "normal-wd0.0005-s0", "teacher-s0"]


def trained_here(folder: Path) -> dict[str, Run]:
    """The same study's runs, trained into ``folder`` by this very process."""
    study.train_students(StudentParameters(profile="digits", output_dir=str(folder), **SMALL, **STUDENTS))
    return {name: Run(folder / name) for name in NAMES}


def make(folder: Path, gpus_a_job: int = 0) -> Path:
    """Make the checkout and ``config/tiny.yaml``: a teacher and two students, half a minute's work."""
    for name in ("kdnb", "notebooks", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder / name)
    content = {
        "profile": "digits",
        "teachers": [0],
        "students": {"low": STUDENTS},
        "gpus_a_job": gpus_a_job,
        "discard_stale": True,
        "common": SMALL,
    }
    (folder / "config").mkdir()
    (folder / "config" / "tiny.yaml").write_text(yaml.safe_dump(content))
    subprocess.run("git init -q && git add .", shell=True, cwd=folder, check=True)  # Snakemake takes what git knows
    return folder


@contextmanager
def storage() -> Iterator[str]:
    """An S3 server on loopback, empty; where it is."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not each of the thousand requests
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def environment(url: str) -> dict[str, str]:
    """For a call of Snakemake whose storage is at ``url``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KDNB_", "PYTHONPATH"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": url,
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "an-access-key",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "a-secret-key",
    }
