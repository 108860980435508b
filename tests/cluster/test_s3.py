"""The tiny study with object storage, on a local S3 server: runs are there whole or not at all, and made once."""

import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.request import Request, urlopen

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

    def ask(self, path: str, method: str = "GET") -> bytes:
        """The bucket itself, past Snakemake."""
        # The server reads who asks, and checks no signature.
        someone = {"Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request"}
        with urlopen(Request(f"{self.url}/{BUCKET}{path}", method=method, headers=someone)) as answer:
            content: bytes = answer.read()
        return content

    def keys(self, prefix: str) -> list[str]:
        return re.findall("<Key>(.*?)</Key>", self.ask(f"?list-type=2&prefix={prefix}").decode())

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
    keys = bucket.keys("kdnb/runs/")
    assert keys == [f"kdnb/runs/digits/{name}.tar" for name in NAMES]
    for key in keys:
        with tarfile.open(fileobj=BytesIO(bucket.ask(f"/{key}"))) as tar:
            files = {Path(name).name for name in tar.getnames()}
        assert {"spec.json", "provenance.json", "model.safetensors", "history.parquet"} <= files


def test_logs_are_in_the_bucket(bucket: Bucket) -> None:
    keys = {key.split("/")[-1] for key in bucket.keys("kdnb/build/tiny/log/")}
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
    bucket.ask(f"/kdnb/runs/digits/{NAMES[0]}.tar", "DELETE")
    shutil.rmtree(bucket.runs / NAMES[0])
    assert bucket.planned() == {"students_low": 1, "fetched_low": 1, "trained": 1, "total": 3}
