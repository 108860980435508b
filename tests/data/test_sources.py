"""Files of CIFAR and of one's own: checked before they are read, never overwritten, fetched only if missing.

The CIFAR files are tiny ones in the official format, whose checksums torchvision is made to expect.
"""

import functools
import hashlib
import http.server
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

import kdnb
from kdnb import data, runs

PAGE = Path(__file__).parents[2] / "book" / "bring-your-own.md"
NOWHERE = "http://127.0.0.1:9/cifar.tar.gz"  # the discard port: refused at once, no network involved


class FakeCifar:
    """Six training and two test images in files as torchvision expects them, in ``source``; the archive beside it."""

    def __init__(self, source: Path, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind, ten = kind, kind is torchvision.datasets.CIFAR10
        random = np.random.RandomState(0)
        self.names = ["flat", "upright"]
        self.pixels = random.randint(0, 256, (8, 3, 32, 32)).astype(np.uint8)
        self.labels = [1, 0, 0, 1, 1, 0, 1, 0]
        key, parts = ("labels", [(0, 3), (3, 6), (6, 8)]) if ten else ("fine_labels", [(0, 6), (6, 8)])
        files = ["data_batch_1", "data_batch_2", "test_batch"] if ten else ["train", "test"]
        self.folder = source / kind.base_folder
        self.folder.mkdir(parents=True)
        for file, (a, b) in zip(files, parts, strict=True):
            self._write(file, {"data": self.pixels[a:b].reshape(b - a, -1), key: self.labels[a:b]})
        self._write(kind.meta["filename"], {kind.meta["key"]: self.names})
        self.archive = source / kind.filename
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(self.folder, kind.base_folder)
        sums = [[file, self._md5(self.folder / file)] for file in files]
        monkeypatch.setattr(kind, "train_list", sums[:-1])
        monkeypatch.setattr(kind, "test_list", sums[-1:])
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": self._md5(self.folder / kind.meta["filename"])})
        monkeypatch.setattr(kind, "tgz_md5", self._md5(self.archive))
        monkeypatch.setattr(kind, "url", NOWHERE)
        monkeypatch.setenv("no_proxy", "*")

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_bytes(pickle.dumps(content, protocol=2))

    @staticmethod
    def _md5(path: Path) -> str:
        return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(params=["cifar10", "cifar100"])
def fake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCifar:
    return FakeCifar(tmp_path / "source", getattr(torchvision.datasets, request.param.upper()), monkeypatch)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address on this machine at which it is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def name_of(fake: FakeCifar) -> str:
    return fake.kind.__name__.lower()


def test_cifar_is_what_torchvision_reads_and_needs_no_network(fake: FakeCifar) -> None:
    loaded = data.load(name_of(fake), fake.folder.parent)  # the address leads nowhere, so nothing was fetched
    for split, train in ((loaded.train, True), (loaded.test, False)):
        wanted = fake.kind(fake.folder.parent, train=train)
        assert torch.equal(split.images, torch.from_numpy(wanted.data).permute(0, 3, 1, 2))
        assert split.labels.tolist() == wanted.targets
    assert torch.equal(torch.cat([loaded.train.images, loaded.test.images]), torch.from_numpy(fake.pixels))
    assert torch.cat([loaded.train.labels, loaded.test.labels]).tolist() == fake.labels
    assert loaded.class_names == tuple(fake.names)
    assert (loaded.padding, loaded.flip, loaded.image_size, loaded.in_channels) == (4, True, 32, 3)
    field = {
        "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    }
    assert (loaded.mean, loaded.std) == field[loaded.name]


@pytest.mark.parametrize("which", ["train", "test", "meta"])
@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_file_is_named_and_kept(fake: FakeCifar, which: str, damage: str) -> None:
    file = {"train": fake.kind.train_list[0][0], "test": fake.kind.test_list[0][0], "meta": fake.kind.meta["filename"]}
    path = fake.folder / file[which]
    whole = path.read_bytes()
    broken = whole[: len(whole) // 2] if damage == "truncated" else whole[:-1] + b"?"
    path.write_bytes(broken)
    with pytest.raises(ValueError, match=rf"{file[which]} is corrupt or truncated.*kept.*move it away and run again"):
        data.load(name_of(fake), fake.folder.parent)
    assert path.read_bytes() == broken


def test_the_way_out_of_a_damaged_file_works(
    fake: FakeCifar, tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fake.folder.parent
    wanted = data.load(name_of(fake), root).checksum
    path = fake.folder / fake.kind.test_list[0][0]
    path.write_bytes(b"")
    fake.archive.rename(server[0] / "it")
    monkeypatch.setattr(fake.kind, "url", server[1] + "/it")
    with pytest.raises(ValueError, match="corrupt"):
        data.load(name_of(fake), root)
    path.rename(tmp_path / "moved away")
    assert data.load(name_of(fake), root).checksum == wanted


def test_a_download_leaves_the_official_files_and_nothing_else(
    fake: FakeCifar, tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = data.load(name_of(fake), fake.folder.parent).checksum
    fake.archive.rename(server[0] / "it")
    monkeypatch.setattr(fake.kind, "url", server[1] + "/it")
    root = tmp_path / "new" / "data"
    assert data.load(name_of(fake), root).checksum == wanted
    assert [path.name for path in root.iterdir()] == [fake.kind.base_folder]
    (server[0] / "it").unlink()
    assert data.load(name_of(fake), root).checksum == wanted  # the second time from the disk


def test_an_archive_put_there_by_hand_is_used_without_download(fake: FakeCifar, tmp_path: Path) -> None:
    root = tmp_path / "new"
    root.mkdir()
    fake.archive.rename(root / fake.kind.filename)
    assert data.load(name_of(fake), root, download=False).num_classes == len(fake.names)
    (root / fake.kind.base_folder).rename(tmp_path / "elsewhere")
    archive = root / fake.kind.filename
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"{fake.kind.filename} is corrupt or truncated \(100 bytes"):
        data.load(name_of(fake), root)
    assert archive.stat().st_size == 100


def test_no_network_says_where_to_put_the_files(fake: FakeCifar, tmp_path: Path) -> None:
    root = tmp_path / "empty"
    with pytest.raises(
        ConnectionError, match=rf"cannot download .*Put {fake.kind.filename} .*into {root} and run again"
    ):
        data.load(name_of(fake), root)
    assert not root.exists() and not list(tmp_path.glob(".fetch-*"))


def test_what_a_killed_download_left_is_removed_and_a_living_ones_is_not(
    fake: FakeCifar, tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    fake.archive.rename(server[0] / "it")
    monkeypatch.setattr(fake.kind, "url", server[1] + "/it")
    code = """
import pathlib, sys
from kdnb.data.cifar import _scratch_folder
with _scratch_folder(pathlib.Path(sys.argv[1])) as scratch:
    (scratch / "half").write_bytes(bytes(1000))
    print(scratch, flush=True)
    sys.stdin.read()
"""
    root.mkdir()
    command = [sys.executable, "-c", code, str(root)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, living = (Path(process.stdout.readline().strip()) for process in both if process.stdout)
    both[0].kill()
    both[0].wait()
    assert (killed / "half").exists()
    data.load(name_of(fake), root)
    assert not killed.exists() and (living / "half").exists()
    both[1].communicate("")
    assert [path.name for path in root.iterdir()] == [fake.kind.base_folder]


def test_a_file_in_place_of_the_folder_is_said_before_anything_is_fetched(fake: FakeCifar, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ValueError, match="data is a file; data_dir must be a folder"):
        data.load(name_of(fake), tmp_path / "data")


def test_a_download_with_another_checksum_is_refused(
    fake: FakeCifar, tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (server[0] / "it").write_bytes(fake.archive.read_bytes()[:-10])
    monkeypatch.setattr(fake.kind, "url", server[1] + "/it")
    with pytest.raises(ConnectionError, match="cannot download .* and run again"):
        data.load(name_of(fake), tmp_path / "empty")
    assert not (tmp_path / "empty").exists() and not list(tmp_path.glob(".fetch-*"))


def test_without_permission_to_download_missing_files_are_listed(fake: FakeCifar) -> None:
    fake.archive.unlink()
    (fake.folder / fake.kind.test_list[0][0]).unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"missing in .*: {fake.kind.test_list[0][0]}\. Put .*allow the download"
    ):
        data.load(name_of(fake), fake.folder.parent, download=False)


# Data of one's own.


def test_a_data_set_of_ones_own_is_one_file(tmp_path: Path) -> None:
    """The page's file, put where the page says into a copy of the package, and trained on."""
    section = PAGE.read_text().split("## Your own data")[1].split("\n## ")[0]
    source = re.findall(r"```python\n(.*?)```", section, re.S)[-1]
    (file,) = re.findall(r"`(kdnb/data/\w+\.py)`:", section)
    shutil.copytree(Path(kdnb.__file__).parent, tmp_path / "kdnb", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / file).write_text(source)
    options = "teacher --dataset stripes --teacher-model resnet8 --epochs 2 --device cpu --output-dir runs"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "kdnb", *options.split()]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (run,) = runs.find(tmp_path / "runs")
    assert run.spec.dataset == "stripes" and run.last("test_accuracy") > 0.95
