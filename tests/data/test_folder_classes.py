"""A folder of one's own pictures: its classes, splits and shapes; what does not fit is refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as TF

from kdnb import data


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes, three training and one test picture each, 16x16 in colour."""
    random = np.random.RandomState(0)
    for part, count in (("train", 3), ("test", 1)):
        for name in ("dog", "cat"):
            for i in range(count):
                save(tmp_path / part / name / f"{i}.png", random.randint(0, 256, (16, 16, 3)).astype(np.uint8))
    return tmp_path


def test_a_folder_is_read_in_alphabetical_order(pictures: Path) -> None:
    loaded = data.load("folder", pictures)
    assert loaded.class_names == ("cat", "dog")
    assert loaded.train.labels.tolist() == [0, 0, 0, 1, 1, 1] and loaded.test.labels.tolist() == [0, 1]
    files = [pictures / "train" / name / f"{i}.png" for name in ("cat", "dog") for i in range(3)]
    wanted = torch.stack([TF.pil_to_tensor(Image.open(path)) for path in files])
    assert torch.equal(loaded.train.images, wanted)
    assert (loaded.padding, loaded.flip, loaded.in_channels, loaded.image_size) == (2, True, 3, 16)
    pixels = wanted.double() / 255
    assert loaded.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert loaded.std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), rel=1e-12)


def test_a_channel_that_never_changes_is_only_centred(tmp_path: Path) -> None:
    for path in ("train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png"):
        save(tmp_path / path, np.full((8, 8), 51, dtype=np.uint8))
    loaded = data.load("folder", tmp_path)
    assert (loaded.mean, loaded.std, loaded.in_channels) == ((0.2,), (1.0,), 1)


def test_a_missing_split_is_named(pictures: Path) -> None:
    (pictures / "test").rename(pictures / "validation")
    with pytest.raises(FileNotFoundError, match="there is no folder .*test; pictures are expected in"):
        data.load("folder", pictures)


@pytest.mark.parametrize(("part", "other"), [("test", "train"), ("train", "test")])
def test_a_class_missing_from_one_split_is_named(pictures: Path, part: str, other: str) -> None:
    save(pictures / other / "emu" / "0.png", np.zeros((16, 16, 3), dtype=np.uint8))
    (pictures / part / "emu").mkdir()  # an empty folder is no class
    with pytest.raises(ValueError, match=rf"class 'emu' has no picture in .*{part}/emu"):
        data.load("folder", pictures)


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "cat" / "0.png", np.zeros((8, 8), dtype=np.uint8))
    with pytest.raises(ValueError, match="has pictures of 1 classes; it needs at least 2"):
        data.load("folder", tmp_path)


@pytest.mark.parametrize(("height", "width"), [(16, 12), (12, 12)])
def test_pictures_of_unequal_size_are_named(pictures: Path, height: int, width: int) -> None:
    save(pictures / "test" / "dog" / "odd.png", np.zeros((height, width, 3), dtype=np.uint8))
    why = r" and .*cat/0\.png is 16 x 16" if height == width else ", which is no square"
    with pytest.raises(ValueError, match=rf"odd\.png is {width} x {height} pixels{why}"):
        data.load("folder", pictures)


def test_equal_but_oblong_pictures_are_refused(tmp_path: Path) -> None:
    for path in ("train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png"):
        save(tmp_path / path, np.zeros((8, 10), dtype=np.uint8))
    with pytest.raises(ValueError, match="10 x 8 pixels, which is no square; all pictures must be squares of one size"):
        data.load("folder", tmp_path)


def test_greyscale_among_colour_is_named(pictures: Path) -> None:
    save(pictures / "train" / "dog" / "grey.png", np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"grey\.png is greyscale and .*cat/0\.png is colour"):
        data.load("folder", pictures)


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_an_unreadable_picture_is_named(pictures: Path, damage: str) -> None:
    path = pictures / "train" / "dog" / "1.png"
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"cannot read the picture .*dog/1\.png.*Replace or remove it"):
        data.load("folder", pictures)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK"])
def test_transparency_and_print_colours_are_refused(pictures: Path, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (16, 16)).save(pictures / "train" / "dog" / f"odd.{suffix}")
    with pytest.raises(ValueError, match=rf"odd\.{suffix} is stored as {mode}; convert it"):
        data.load("folder", pictures)
