"""Data: every view is torchvision's crop and flip; the digits and the checksum never move."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision.transforms import functional as TF

from kdnb import data
from kdnb.data import dataset


def dataset_of(images: Tensor, padding: int, flip: bool) -> data.Dataset:
    split = data.Split(images, torch.arange(len(images)))
    channels = images.shape[1]
    mean, std = (0.5071, 0.4867, 0.4408)[:channels], (0.2675, 0.2565, 0.2761)[:channels]
    return data.Dataset("synthetic", split, split, ("a", "b"), mean, std, padding, flip, "")


def by_torchvision(image: Tensor, dataset: data.Dataset, dy: int, dx: int, flip: int) -> Tensor:
    """Pad black, crop at (dy, dx), mirror, then ToTensor and Normalize: the field's pipeline with its choices given."""
    picture = TF.to_pil_image(image)
    picture = TF.crop(TF.pad(picture, [dataset.padding]), dy, dx, dataset.image_size, dataset.image_size)
    picture = TF.hflip(picture) if flip else picture
    return TF.normalize(TF.to_tensor(picture), list(dataset.mean), list(dataset.std))


@pytest.mark.parametrize(
    ("channels", "size", "padding", "flip", "count"),
    [(3, 32, 4, True, 162), (1, 8, 1, False, 9), (3, 8, 2, True, 50), (1, 5, 0, False, 1)],
)
def test_every_view_equals_torchvisions(channels: int, size: int, padding: int, flip: bool, count: int) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, channels, size, size), generator=random, dtype=torch.uint8)
    dataset = dataset_of(images, padding, flip)
    views = data.Views(dataset.train, dataset, "cpu")
    assert views.count == count
    seen = set()
    for dy in range(2 * padding + 1):
        for dx in range(2 * padding + 1):
            for mirrored in range(1 + flip):
                view = ((dy * (2 * padding + 1)) + dx) * (1 + flip) + mirrored
                got = views(torch.arange(3), torch.full((3,), view))
                wanted = torch.stack([by_torchvision(image, dataset, dy, dx, mirrored) for image in images])
                assert torch.equal(got, wanted)
                seen.add(view)
    assert seen == set(range(count))


def test_views_of_a_batch_are_independent_and_channels_last() -> None:
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    dataset = dataset_of(images, 1, True)
    views = data.Views(dataset.train, dataset, "cpu")
    indices, chosen = torch.tensor([4, 0, 4, 2]), torch.tensor([0, 17, 9, 3])
    batch = views(indices, chosen)
    assert batch.shape == (4, 3, 8, 8) and batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    for b in range(4):
        assert torch.equal(batch[b : b + 1], views(indices[b : b + 1], chosen[b : b + 1]))
    assert torch.equal(views(indices, torch.tensor([7])), views(indices, torch.full((4,), 7)))


@pytest.mark.parametrize(("padding", "flip"), [(1, False), (4, True), (0, True)])
def test_the_identity_view_is_the_image(padding: int, flip: bool) -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    dataset = dataset_of(images, padding, flip)
    views = data.Views(dataset.train, dataset, "cpu")
    mean, std = (torch.tensor(s)[:, None, None] for s in (dataset.mean, dataset.std))
    assert torch.equal(views(torch.arange(2), torch.tensor([views.identity])), (images / 255 - mean) / std)
    assert torch.equal(views.labels, dataset.train.labels)


def test_digits_are_scikit_learns_in_14_whole_batches() -> None:
    digits = data.load("digits")
    images, labels = load_digits(return_X_y=True)
    assert (len(digits.train.labels), len(digits.test.labels)) == (14 * 64, 901)
    assert (digits.num_classes, digits.in_channels, digits.image_size) == (10, 1, 8)
    assert (digits.padding, digits.flip) == (1, False)
    both = torch.cat([digits.train.images, digits.test.images]).flatten(1).float()
    both = torch.cat([both, torch.cat([digits.train.labels, digits.test.labels])[:, None]], 1)
    wanted = np.column_stack([np.floor(images * 255 / 16 + 0.5), labels])
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, wanted.tolist()))  # each once, none in both splits
    share = torch.bincount(digits.test.labels).numpy() / np.bincount(labels)
    assert share.min() > 0.495 and share.max() < 0.505
    pixels = digits.train.images.double() / 255
    assert digits.mean[0] == pytest.approx(pixels.mean().item(), rel=1e-12)
    assert digits.std[0] == pytest.approx(pixels.std(correction=0).item(), rel=1e-12)


def test_digits_few_has_ten_of_each_class_among_the_digits_and_the_same_test_images() -> None:
    few, digits = data.load("digits-few"), data.load("digits")
    assert torch.bincount(few.train.labels).tolist() == [10] * 10
    every = {image.numpy().tobytes() for image in digits.train.images}
    assert all(image.numpy().tobytes() in every for image in few.train.images)
    assert torch.equal(few.test.images, digits.test.images) and few.checksum != digits.checksum and not few.flip


def test_the_digits_split_and_its_checksum_never_move() -> None:
    """Published results name this checksum: a change of scikit-learn's bundled file or split must be seen."""
    assert data.load("digits").checksum == "c3a6e07cff238885d8390f87dffc1a2f0887727afc6da8bb3e637e2e698356b9"


@pytest.mark.parametrize(
    "change",
    [
        {"padding": 2},
        {"flip": True},
        {"mean": (0.5,)},
        {"std": (0.5,)},
        {"class_names": tuple("012345678X")},
        {"pixel": 1},
        {"label": 1},
    ],
)
def test_whatever_a_network_would_notice_changes_the_checksum(change: dict[str, Any]) -> None:
    digits = data.load("digits", limit=20)
    test = data.Split(digits.test.images.clone(), digits.test.labels.clone())
    test.images[7, 0, 3, 3] ^= change.get("pixel", 0)
    test.labels[7] ^= change.get("label", 0)
    names = ("class_names", "mean", "std", "padding", "flip")
    settings = [change.get(name, getattr(digits, name)) for name in names]
    assert dataset._checksum((digits.train, digits.test), [getattr(digits, name) for name in names]) == digits.checksum
    assert dataset._checksum((digits.train, test), settings) != digits.checksum


def test_limit_takes_classes_in_turn_and_always_the_same() -> None:
    whole, few, more = (data.load("digits", limit=limit) for limit in (None, 30, 50))
    for split, more_split in ((few.train, more.train), (few.test, more.test)):
        assert torch.bincount(split.labels).tolist() == [3] * 10
        assert torch.equal(more_split.images[:30], split.images)
    assert few.checksum != more.checksum != whole.checksum
    assert (few.mean, few.std) == (whole.mean, whole.std)
    assert len(data.load("digits", limit=10_000).train.labels) == 896


def test_the_table_names_every_data_set() -> None:
    assert data.__doc__ and [name for name in data.SOURCES if f"\n{name:<10}  " not in data.__doc__] == []


def test_refusals_of_arguments() -> None:
    with pytest.raises(
        ValueError, match=r"unknown data set 'cifar'; known: cifar10, cifar100, digits, digits-few, folder"
    ):
        data.load("cifar")
    for limit in (0, -3, 2.5, True):
        with pytest.raises(ValueError, match="limit is .* must be a whole number of at least 1"):
            data.load("digits", limit=limit)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit is 9; digits has 10 classes, .* at least 10, or None for all"):
        data.load("digits", limit=9)
    assert sorted(data.load("digits", limit=10).train.labels.tolist()) == list(range(10))


PIXELS, LABELS = np.zeros((4, 1, 8, 8), np.uint8), np.arange(4) % 2


@pytest.mark.parametrize(
    ("part", "pixels", "labels", "said"),
    [
        ("training", PIXELS / 255, LABELS, "pixels are float64 4 x 1 x 8 x 8; they must be a uint8 array, images x ch"),
        ("training", PIXELS.transpose(0, 2, 3, 1), LABELS, "pixels are uint8 4 x 8 x 8 x 1; they must be"),
        ("test", PIXELS[:, 0], LABELS, "pixels are uint8 4 x 8 x 8; they must be"),
        ("test", PIXELS[:0], LABELS[:0], "pixels are uint8 0 x 1 x 8 x 8; they must be"),
        ("test", PIXELS.tolist(), LABELS, "pixels are list; they must be"),
        (
            "test",
            PIXELS.repeat(3, 1),
            LABELS,
            r"images are \(3, 8, 8\), those in training \(1, 8, 8\); make them alike",
        ),
        ("training", PIXELS, LABELS[:3], r"labels are int64 \(3,\) for 4 images; they must be whole numbers, one an"),
        ("training", PIXELS, LABELS / 1.0, r"labels are float64 \(4,\) for 4 images"),
        ("training", PIXELS, LABELS + 1, "labels lack 0; with 2 class names they must be 0 to 1, each at least once"),
        ("test", PIXELS, LABELS * 2, "labels lack 1; with 2 class names"),
        ("training", PIXELS, LABELS * 3 - 1, "labels have -1; with 2 class names"),
        ("test", PIXELS, LABELS * 0, "labels lack 1; with 2 class names"),
    ],
)
def test_what_a_file_reads_is_checked(part: str, pixels: Any, labels: Any, said: str) -> None:
    """Training would stumble over it, or not even that; the message names data set, part, value and rule."""
    parts = {"training": (PIXELS, LABELS), "test": (PIXELS, LABELS)} | {part: (pixels, labels)}
    raw = data.Raw(parts["training"], parts["test"], ("flat", "upright"))
    with pytest.raises(ValueError, match=f"^data set digits: the {part} {said}"):
        dataset.prepare(data.SOURCES["digits"](), raw)


def test_labels_may_be_any_whole_numbers() -> None:
    raw = data.Raw((PIXELS, LABELS.astype(np.int32)), (PIXELS, [0, 1, 1, 0]), ("flat", "upright"))  # type: ignore[arg-type]
    found = dataset.prepare(data.SOURCES["digits"](), raw)
    assert found.train.labels.dtype == found.test.labels.dtype == torch.int64
