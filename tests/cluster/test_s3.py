"""The tiny study with object storage, on a local S3 server: runs are there whole or not at all, and made once."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import checkout
import pytest
from checkout import NAMES
from conftest import same

from kdnb.runs import Run

BUCKET = "a-bucket"


@dataclass
class Bucket:
    """A checkout, and the bucket that keeps its runs."""

    folder: Path
    url: str

    @property
    def objects(self) -> Any:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        return boto3.resource("s3", endpoint_url=self.url, **keys).Bucket(BUCKET)

    @property
    def runs(self) -> Path:
        return self.folder / "runs" / "digits"

    def __call__(self, *options: str) -> str:
        """Call Snakemake on the study; what it says."""
        words = [sys.executable, "-m", "snakemake", "trained", "--configfile", "config/tiny.yaml", "--cores", "2"]
        words += ["--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}/kdnb", *options]
        environment = checkout.environment(self.url)
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self) -> dict[str, int]:
        """Jobs that a call would run, by rule."""
        lines = [line.split() for line in self("--dry-run", "--quiet", "rules").splitlines()]
        return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    folder = checkout.make(tmp_path_factory.mktemp("s3") / "checkout")
    with checkout.storage() as url:
        made = Bucket(folder, url)
        made()
        yield made


def test_the_bucket_holds_each_run_as_one_object(bucket: Bucket) -> None:
    keys = [one.key for one in bucket.objects.objects.filter(Prefix="kdnb/runs/")]
    assert keys == [f"kdnb/runs/digits/{name}.tar" for name in NAMES]
    for key in keys:
        with tarfile.open(fileobj=BytesIO(bucket.objects.Object(key).get()["Body"].read())) as tar:
            files = {Path(name).name for name in tar.getnames()}
        assert {"spec.json", "provenance.json", "model.safetensors", "history.parquet"} <= files


def test_logs_are_in_the_bucket(bucket: Bucket) -> None:
    keys = {one.key.split("/")[-1] for one in bucket.objects.objects.filter(Prefix="kdnb/build/tiny/log/")}
    assert keys == {f"{job}.{kind}" for job in ("students-low", "teacher-s0") for kind in ("ipynb", "txt")}


def test_runs_equal_local_ones(bucket: Bucket, tmp_path: Path) -> None:
    for name, run in checkout.trained_here(tmp_path).items():
        same(Run(bucket.runs / name), run)


def test_a_second_call_does_nothing(bucket: Bucket) -> None:
    assert bucket.planned() == {}


def test_what_the_bucket_has_is_fetched_and_not_made_again(bucket: Bucket) -> None:
    kept = bucket.runs.with_name("kept")
    shutil.move(bucket.runs, kept)
    assert bucket.planned() == {"fetched_teachers": 1, "fetched_low": 1, "trained": 1, "total": 3}
    bucket()
    for name in NAMES:
        same(Run(bucket.runs / name), Run(kept / name))


def test_what_is_neither_here_nor_there_alone_is_made(bucket: Bucket) -> None:
    bucket.objects.Object(f"kdnb/runs/digits/{NAMES[0]}.tar").delete()
    shutil.rmtree(bucket.runs / NAMES[0])
    assert bucket.planned() == {"students_low": 1, "fetched_low": 1, "trained": 1, "total": 3}
