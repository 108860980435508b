"""Where images come from: scikit-learn's digits, the official CIFAR files, a folder of one's own."""

import http.client
import os
import pickle
import struct
import tempfile
import urllib.error
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]  # N x C x S x S
Labels = np.ndarray[Any, np.dtype[np.int64]]  # N

DIGITS_TEST_SIZE = 901
FEW = 10  # training images a class of digits-few
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg"}
PICTURE_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}  # how a picture is stored -> how it is read


class Raw(NamedTuple):
    """A data set as it was found: (pixels, labels) of both splits, and the class names in the order of the labels."""

    train: tuple[Pixels, Labels]
    test: tuple[Pixels, Labels]
    class_names: tuple[str, ...]


def digits() -> Raw:
    """The 1797 real digits that scikit-learn bundles, in a fixed stratified split; their values 0..16 become 0..255."""
    from sklearn.datasets import load_digits  # here, because it takes a second that the others need not wait for
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    parts = train_test_split(np.arange(len(labels)), test_size=DIGITS_TEST_SIZE, stratify=labels, random_state=0)
    train, test = ((pixels[part], labels[part].astype(np.int64)) for part in parts)
    return Raw(train, test, tuple("0123456789"))


def digits_few() -> Raw:
    """The same with :data:`FEW` training images a class; all test images."""
    full = digits()
    return full._replace(train=few(*full.train, FEW))


def few(pixels: Pixels, labels: Labels, count: int) -> tuple[Pixels, Labels]:
    """A fixed choice of ``count`` images of each class; ValueError, naming the class, where there are not so many."""
    for label, there in zip(*np.unique(labels, return_counts=True), strict=True):
        if there < count:
            raise ValueError(
                f"class {label} has {there} training images, and {count} of each are asked for: ask fewer."
            )
    kept = balanced_order(labels)[: count * len(np.unique(labels))]
    return pixels[kept], labels[kept]


def balanced_order(labels: Labels) -> Labels:
    """A fixed shuffle in which each class takes its turn, until it is used up."""
    shuffled = np.random.RandomState(0).permutation(len(labels))  # this generator's stream is frozen for good
    turn = np.empty(len(labels), dtype=np.int64)  # how many of its class come before it
    for label in np.unique(labels):
        (places,) = np.nonzero(labels[shuffled] == label)
        turn[places] = np.arange(len(places))
    order: Labels = shuffled[np.argsort(turn, kind="stable")]
    return order


def cifar(name: str, root: Path, download: bool) -> Raw:
    """CIFAR-10 or -100 from the official python files in ``root``; the network is used only where files are missing.

    Nothing is unpickled before its checksum is found right. Raises as ``kdnb.data.load`` says.
    """
    from torchvision import datasets

    kind = getattr(datasets, name.upper())
    folder = root / kind.base_folder
    if _missing_files(kind, folder):
        _fetch(kind, root, download)
    names = _unpickle(folder / kind.meta["filename"])[kind.meta["key"]]
    train, test = (_read_batches([folder / file for file, _ in part]) for part in (kind.train_list, kind.test_list))
    return Raw(train, test, tuple(names))


def _read_batches(files: list[Path]) -> tuple[Pixels, Labels]:
    batches = [_unpickle(path) for path in files]
    pixels = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = [batch["fine_labels" if "fine_labels" in batch else "labels"] for batch in batches]
    return pixels, np.concatenate(labels).astype(np.int64)


def _unpickle(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = pickle.loads(path.read_bytes(), encoding="latin1")
    return content


def _missing_files(kind: Any, folder: Path) -> list[str]:
    """Names of the official files that are not in ``folder``; those that are must be whole."""
    official = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    for name, md5 in official:
        _check_whole(folder / name, md5)
    return [name for name, _ in official if not (folder / name).exists()]


def _check_whole(path: Path, md5: str) -> None:
    from torchvision.datasets.utils import check_integrity

    if path.exists() and not check_integrity(path, md5):
        raise ValueError(
            f"{path} is corrupt or truncated ({path.stat().st_size} bytes, not the official checksum). "
            "It was kept as it is; to fetch it again, move it away and run again with download=True."
        )


def _fetch(kind: Any, root: Path, download: bool) -> None:
    """Unpack the archive in ``root``, downloading it if need be, and put the files that are missing in their place.

    All happens in a scratch folder beside the target, so that an interrupted download leaves no half file behind.
    """
    from torchvision.datasets.utils import extract_archive

    archive, folder = root / kind.filename, root / kind.base_folder
    way_out = f"Put {kind.filename} (from {kind.url}) or its unpacked folder {kind.base_folder} into {root.resolve()}"
    _check_whole(archive, kind.tgz_md5)
    if not archive.exists() and not download:
        missing = ", ".join(_missing_files(kind, folder))
        raise FileNotFoundError(f"missing in {folder}: {missing}. {way_out}, or allow the download.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as scratch:
        if not archive.exists():
            archive = _download(kind, Path(scratch), way_out)
        extract_archive(archive, scratch)
        for name in _missing_files(kind, folder):
            os.replace(Path(scratch) / kind.base_folder / name, folder / name)


def _download(kind: Any, target: Path, way_out: str) -> Path:
    from torchvision.datasets.utils import download_url

    try:
        download_url(kind.url, target, kind.filename, kind.tgz_md5)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, RuntimeError) as error:
        raise ConnectionError(f"cannot download {kind.filename}: {error}. {way_out} and run again.") from error
    return target / str(kind.filename)


def folder(root: Path) -> Raw:
    """The pictures in ``root``/train/<class>/ and ``root``/test/<class>/, PNG or JPEG; classes in alphabetical order.

    All must be squares of one size and either all greyscale or all colour. Raises as ``kdnb.data.load`` says.
    """
    splits = [_pictures(root / part) for part in ("train", "test")]
    names = sorted(splits[0].keys() | splits[1].keys())
    if len(names) < 2:
        raise ValueError(f"{root} has pictures of {len(names)} classes; it needs at least 2.")
    for part, paths in zip(("train", "test"), splits, strict=True):
        for name in (name for name in names if name not in paths):
            place = root / part / name
            raise ValueError(f"class {name!r} has no picture in {place}; each class needs some in both splits.")
    pixels = _read_pictures([path for paths in splits for name in names for path in paths[name]])
    train, test = (np.repeat(np.arange(len(names)), [len(paths[name]) for name in names]) for paths in splits)
    return Raw((pixels[: len(train)], train), (pixels[len(train) :], test), tuple(names))


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """The picture files of each class folder that has any; other files are no concern of ours."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {folder}; pictures are expected in {folder}/<class>/, PNG or JPEG."
        )
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."):
            found.setdefault(path.parent.name, []).append(path)
    return found


def _read_pictures(files: list[Path]) -> Pixels:
    """All pictures in one array; ValueError naming the files where one is unreadable or unlike the first."""
    pictures = [_read_picture(path) for path in files]
    rows, columns, channels = pictures[0].shape
    kinds = {1: "greyscale", 3: "colour"}
    for path, (height, width, depth) in zip(files, (picture.shape for picture in pictures), strict=True):
        if height != width or (height, width) != (rows, columns):
            raise ValueError(
                f"{path} is {width} x {height} pixels and {files[0]} is {columns} x {rows}; "
                "all pictures must be squares of one size: crop or resize them."
            )
        if depth != channels:
            raise ValueError(
                f"{path} is {kinds[depth]} and {files[0]} is {kinds[channels]}; convert all to one of them."
            )
    return np.stack(pictures).transpose(0, 3, 1, 2)


def _read_picture(path: Path) -> Pixels:
    """One picture, H x W x C."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            mode = picture.mode
            pixels = np.asarray(picture.convert(PICTURE_MODES.get(mode, "L")), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:  # all that Pillow's readers raise
        raise ValueError(f"cannot read the picture {path}: {error}. Replace or remove it.") from error
    if mode not in PICTURE_MODES:
        raise ValueError(f"{path} is stored as {mode}; convert it to 8-bit greyscale or RGB without transparency.")
    return pixels.reshape(*pixels.shape[:2], -1)
