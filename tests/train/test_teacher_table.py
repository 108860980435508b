"""The teacher table: the live teacher's outputs but for fp16's rounding, whatever befalls the file."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdnb import data, models
from kdnb import device as devices
from kdnb.data import Dataset, Views, dataset
from kdnb.train import teacher, teacher_table, teacher_table_files
from kdnb.train.teacher import Teacher
from kdnb.train.teacher_table import TeacherTable

CPU = torch.device("cpu")
IMAGES, VIEWS, CHUNKS = 12, 9, 6  # of what most tests here build: two images a chunk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_table, "CHUNK_PASSES", 2 * VIEWS)


def made_up(images: int = IMAGES, shape: tuple[int, ...] = (1, 8, 8), padding: int = 1, flip: bool = False) -> Dataset:
    """Random pixels; what a network makes of them is as good as of any others here."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, *shape), generator=random, dtype=torch.uint8)
    split, names = data.Split(pixels, torch.arange(images) % 5), tuple("abcde")
    mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
    checksum = dataset._checksum((split, split), [names, mean, std, padding, flip])
    return Dataset("made up", split, split, names, mean, std, padding, flip, checksum)


def untrained(dataset: Dataset, seed: int = 0, scale: float = 1.0) -> Teacher:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = models.create("resnet8", dataset.num_classes, dataset.in_channels).state_dict()
    state["classifier.weight"] *= scale
    return teacher.from_state("resnet8", state, dataset, "a test")


def watched(dataset: Dataset) -> tuple[Teacher, list[int]]:
    """A teacher, and the number of views in each of its forward passes from now on."""
    network, passes = untrained(dataset), list[int]()
    network.network.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
    return network, passes


def build(folder: Path, *, features: bool = False, precision: str = "fp32") -> tuple[TeacherTable, int]:
    """The table of the made-up images, and how many views were computed for it."""
    dataset = made_up()
    network, passes = watched(dataset)
    return teacher_table.prepare(folder, network, dataset, CPU, precision, features=features), sum(passes)


def file(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"table-*/{name}")
    return found


def contents(folder: Path, *names: str) -> list[bytes]:
    return [file(folder, name).read_bytes() for name in names]


@pytest.mark.parametrize(
    ("load", "views"),
    [(lambda: data.load("digits", limit=20), 9), (lambda: made_up(2, (3, 32, 32), 4, True), 162)],
    ids=["digits", "CIFAR's shape"],
)
def test_it_is_the_live_teacher_on_every_view_within_rounding(
    tmp_path: Path, load: Callable[[], Dataset], views: int
) -> None:
    """In other batches than it was computed in: hence the last digits of float32 on top of half an ulp of fp16."""
    dataset = load()
    network, images = untrained(dataset), len(dataset.train.labels)
    computed = teacher_table.prepare(tmp_path, network, dataset, CPU, "fp32", features=True)
    assert computed.logits.shape[:2] == (images, views)
    cut = Views(dataset.train, dataset, CPU)
    pairs = torch.randperm(images * views, generator=torch.Generator().manual_seed(0))
    for some in pairs.split(50):
        indices, chosen = some // views, some % views
        with torch.no_grad():
            live = network.network(cut(indices, chosen))
        stored = computed.outputs(indices, chosen)
        assert stored.maps == () and stored.logits.dtype == stored.features.dtype == torch.float32
        for left, right in ((stored.logits, live.logits), (stored.features, live.features)):
            assert ((left - right).abs() <= 2**-11 * right.abs() + 1e-5).all()
        assert (stored.logits[1:] - live.logits[:-1]).abs().max() > 0.05  # views differ by more than they are rounded


def test_its_precision_is_the_runs(tmp_path: Path) -> None:
    dataset = made_up(1)
    network, every = untrained(dataset), torch.arange(VIEWS)
    for precision in ("fp32", "bf16"):
        computed = teacher_table.prepare(tmp_path, network, dataset, CPU, precision)
        with torch.no_grad(), devices.autocast(CPU, precision):
            live = network.network(Views(dataset.train, dataset, CPU)(every * 0, every))
        assert torch.equal(computed.logits[0], live.logits.half())
    first, second = (np.load(path) for path in tmp_path.glob("*/logits.npy"))
    assert (first != second).any()


def test_gathers_repeat_and_leave_the_file_alone(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        computed, _ = build(tmp_path)
    indices, views = torch.tensor([3, 3, 0, 3]), torch.tensor([8, 8, 1, 2])
    logits, plain = computed.outputs(indices, views).logits, np.load(file(tmp_path, "logits.npy"))
    np.testing.assert_array_equal(logits.numpy(), plain[indices.numpy(), views.numpy()].astype(np.float32))
    assert computed.outputs(indices, views).features.shape == (4, 0)
    with pytest.raises(IndexError):  # a view too many is not the next image's first
        computed.outputs(torch.tensor([0]), torch.tensor([VIEWS]))
    computed.logits.zero_()
    np.testing.assert_array_equal(np.load(file(tmp_path, "logits.npy")), plain)


def test_a_finished_table_is_only_opened_and_features_are_added_to_it(tmp_path: Path) -> None:
    assert build(tmp_path / "whole", features=True)[1] == build(tmp_path / "parts")[1] == IMAGES * VIEWS
    assert build(tmp_path / "parts")[1] == 0
    stamp = file(tmp_path / "parts", "logits.npy").stat().st_mtime_ns
    assert build(tmp_path / "parts", features=True)[1] == IMAGES * VIEWS
    assert file(tmp_path / "parts", "logits.npy").stat().st_mtime_ns == stamp
    whole, parts = (
        contents(tmp_path / name, "logits.npy", "features.npy", "table.json") for name in ("whole", "parts")
    )
    assert whole == parts
    assert build(tmp_path / "parts", features=True)[1] == 0


def build_and_die(folder: str, at: int) -> None:
    """Build until the ``at``-th fsync (odd: a chunk's, even: the record's); its file loses its end, then SIGKILL."""
    teacher_table.CHUNK_PASSES = 2 * VIEWS
    seen: list[int] = []

    def fsync(descriptor: int) -> None:
        seen.append(descriptor)
        if len(seen) == at:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - 20)
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        build(Path(folder))


def build_and_count(folder: str) -> None:
    teacher_table.CHUNK_PASSES = 2 * VIEWS
    print("computed", build(Path(folder))[1], flush=True)


def start(call: str) -> "subprocess.Popen[str]":
    """Another process that runs ``call`` of this file."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import {Path(__file__).stem} as tests; tests.{call}"],
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("at", "recorded"), [(1, 0), (6, 2)])
def test_killed_and_completed_equals_uninterrupted(tmp_path: Path, at: int, recorded: int) -> None:
    process = start(f"build_and_die({str(tmp_path / 'killed')!r}, {at})")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert build(tmp_path / "killed")[1] == (CHUNKS - recorded) * 2 * VIEWS
    build(tmp_path / "whole")
    killed, whole = (contents(tmp_path / name, "logits.npy", "table.json") for name in ("killed", "whole"))
    assert killed == whole


def test_of_two_jobs_at_once_one_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is started while the first has a chunk to write, which it does once the second says that it waits."""
    write, second, heard = teacher_table_files.Store.write, list["subprocess.Popen[str]"](), list[str]()

    def when_the_second_waits(*arguments: Any) -> None:
        if not second:
            second.append(start(f"build_and_count({str(tmp_path)!r})"))
            assert second[0].stdout is not None
            heard.append(second[0].stdout.readline())
        write(*arguments)

    monkeypatch.setattr(teacher_table_files.Store, "write", when_the_second_waits)
    assert build(tmp_path)[1] == IMAGES * VIEWS
    assert "another job is at work on this teacher table; waiting" in heard[0]
    assert second[0].communicate()[0].split() == ["computed", "0"] and second[0].returncode == 0


@pytest.mark.parametrize(
    ("damage", "chunks"),
    [
        (lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:], [0]),  # in the header
        (lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:], [2]),
        (lambda content: content[:-1], [5]),
        (lambda content: content[:600], [2, 3, 4, 5]),
        (lambda content: b"", list(range(CHUNKS))),
    ],
)
def test_damaged_chunks_alone_are_computed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any, chunks: list[int]
) -> None:
    build(tmp_path, features=True)
    whole = contents(tmp_path, "logits.npy", "features.npy", "table.json")
    path = file(tmp_path, "logits.npy")
    path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()
    assert build(tmp_path, features=True)[1] == len(chunks) * 2 * VIEWS
    said = capsys.readouterr().out
    assert f"logits.npy is damaged: of 6 chunks, {', '.join(map(str, chunks))} computed again" in said
    assert "features.npy is damaged" not in said
    assert contents(tmp_path, "logits.npy", "features.npy", "table.json") == whole


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("teacher", {"model": "resnet8", "checksum": "0" * 64}),
        ("data_checksum", "0" * 64),
        ("precision", "bf16"),
        ("format", teacher_table.FORMAT + 1),
        ("views", 10),
        ("classes", 6),
        ("width", 65),
        ("chunk_images", 3),
    ],
)
def test_another_table_is_refused_by_name_and_kept(tmp_path: Path, field: str, other: object) -> None:
    build(tmp_path)
    record = file(tmp_path, "table.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {field: other}))
    before = contents(tmp_path, "logits.npy", "table.json")
    with pytest.raises(ValueError, match=rf"holds another teacher table \({field}: there .*move .*table-.* away.*live"):
        build(tmp_path)
    assert contents(tmp_path, "logits.npy", "table.json") == before


@pytest.mark.parametrize("text", ["", '{"format": 1', "[]", "{}", '{"checksums": {"logits": 3}}', "\0"])
def test_an_unreadable_record_is_refused_by_name_and_kept(tmp_path: Path, text: str) -> None:
    build(tmp_path)
    file(tmp_path, "table.json").write_text(text)
    with pytest.raises(ValueError, match=r"table.json cannot be read: .*move .* away.*live"):
        build(tmp_path)
    assert file(tmp_path, "table.json").read_text() == text


def test_teachers_data_and_precisions_have_tables_of_their_own(tmp_path: Path) -> None:
    dataset, fewer = made_up(), made_up(4)
    for images, seed, precision in (
        (dataset, 0, "fp32"),
        (dataset, 1, "fp32"),
        (fewer, 0, "fp32"),
        (dataset, 0, "bf16"),
    ):
        teacher_table.prepare(tmp_path, untrained(images, seed), images, CPU, precision)
    assert len(list(tmp_path.glob("table-*/logits.npy"))) == 4


def test_a_disk_too_small_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OSError, match=r"needs 0.0 MB more, and 0.0 MB are free: .*teacher_outputs='live'"):
        build(tmp_path)
    assert not list(tmp_path.glob("*/*.npy"))


def test_a_disk_that_fills_up_leaves_what_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def fsync(descriptor: int) -> None:
        seen.append(descriptor)
        if len(seen) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"could not write .*logits.npy: .*No space left.*kept; make room.*live"):
        build(tmp_path)
    assert build(tmp_path)[1] == (CHUNKS - 2) * 2 * VIEWS


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=r"lock cannot be locked: .*not implemented.*live"):
        build(tmp_path)


def test_outputs_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    dataset = made_up()
    with pytest.raises(ValueError, match=r"logits for training image 0 reach from -\d.* to \d.*65504.*live"):
        teacher_table.prepare(tmp_path, untrained(dataset, scale=1e7), dataset, CPU, "fp32")
    assert not list(tmp_path.glob("*/table.json"))


@pytest.mark.parametrize(
    ("images", "views", "width"), [(896, 9, 10), (896, 9, 64)] + [(50_000, 162, width) for width in (10, 100, 64, 256)]
)
def test_the_sizes_in_the_documentation(images: int, views: int, width: int) -> None:
    assert (
        teacher_table.__doc__
        and f"{teacher_table_files.megabytes(2 * images * views * width)} ({width})" in teacher_table.__doc__
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_on_cuda_it_is_the_same_and_a_graph_can_hold_it(tmp_path: Path) -> None:
    dataset, device = made_up(), torch.device("cuda")
    computed = teacher_table.prepare(tmp_path, untrained(dataset), dataset, device, "fp32", features=True)
    on_cpu, passes = build(tmp_path, features=True)
    indices, views = torch.tensor([3, 0, 3], device=device), torch.tensor([8, 1, 2], device=device)
    computed.outputs(indices, views)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = computed.outputs(indices, views)
    indices.copy_(torch.tensor([1, 1, 11]))
    graph.replay()
    expected = on_cpu.outputs(indices.cpu(), views.cpu())
    assert passes == 0 and torch.equal(captured.logits.cpu(), expected.logits)
    assert torch.equal(captured.features.cpu(), expected.features)
