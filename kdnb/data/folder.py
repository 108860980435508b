"""A folder of one's own pictures: ROOT/train/<class>/ and ROOT/test/<class>/, PNG or JPEG."""

import struct
from pathlib import Path

import numpy as np

from kdnb.data.source import Pixels, Raw, Source

SUFFIXES = {".png", ".jpg", ".jpeg"}
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}  # how a picture is stored -> how it is read


class Folder(Source):
    """Squares of one size, all greyscale or all colour; classes in alphabetical order."""

    name = "folder"

    def read(self, root: Path, download: bool) -> Raw:
        """Every picture there is; ValueError naming those that do not fit."""
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
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
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
            pixels = np.asarray(picture.convert(MODES.get(mode, "L")), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:  # all that Pillow's readers raise
        raise ValueError(f"cannot read the picture {path}: {error}. Replace or remove it.") from error
    if mode not in MODES:
        raise ValueError(f"{path} is stored as {mode}; convert it to 8-bit greyscale or RGB without transparency.")
    return pixels.reshape(*pixels.shape[:2], -1)
