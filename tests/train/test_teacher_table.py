"""The teacher table: the live teacher's outputs but for fp16's rounding, computed once."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_table import CPU, IMAGES, VIEWS, build, contents, file, made_up, untrained

from kdnb import data
from kdnb import device as devices
from kdnb.data import Dataset, Views
from kdnb.train import teacher_table, teacher_table_files


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_table, "CHUNK_PASSES", 2 * VIEWS)


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


def test_a_table_that_is_dearer_than_a_live_teacher_says_so_before_it_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = made_up(2)
    for folder, epochs, said in (("few", 4, True), ("few", 4, False), ("many", VIEWS, False)):
        teacher_table.prepare(tmp_path / folder, untrained(dataset), dataset, CPU, "fp32", epochs=epochs)
        expected = f"{VIEWS} times an image, teacher_outputs='live' 4, once an epoch: unless 3 groups of students share"
        assert (expected in capsys.readouterr().out) == said  # what is there already costs nothing


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
