"""A folder of one's own pictures: ROOT/train/<class>/ and ROOT/test/<class>/, at any depth below a class.

Nothing is left out in silence. What is hidden (``.DS_Store``, ``.ipynb_checkpoints``) is no picture, and is said; any
other file that cannot be read as a viewer shows it is refused by name. What is read is printed, class by class.
"""

import io
import os
import stat
import unicodedata
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kdnb.data.source import Pixels, Raw, Source

PARTS = ("train", "test")
# Formats known by their first bytes, whose readers are Pillow's own: no other program is started, none is guessed.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "JPEG2000", "PPM", "QOI", "SGI")
MODES = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB"}  # as stored -> as read
SRGB = {"c2", "c2ci", "uRGB"}  # names of profiles that are sRGB, beside those that say so
LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}  # what systems put into folders without hiding it
NAMED = 5  # of many files, so many are named


class Folder(Source):
    """Squares of one size, all greyscale or all colour; classes in alphabetical order."""

    name = "folder"
    pictures = True

    def read(self, root: Path, download: bool) -> Raw:
        """Every picture there is; ValueError naming those that do not fit."""
        left: list[Path] = []
        splits = [_classes(root / part, left) for part in PARTS]
        names = sorted(splits[0].keys() | splits[1].keys())
        if len(names) < 2:
            raise ValueError(f"{root} has pictures of {len(names)} classes; it needs at least 2.")
        for part, paths, others in zip(PARTS, splits, splits[::-1], strict=True):
            for name in (name for name in names if not paths.get(name)):
                alone = {other.casefold(): other for other in paths.keys() - others.keys()}
                close = get_close_matches(name.casefold(), alone, 1)
                hint = f" It has {alone[close[0]]!r}: is that the same?" if close else ""
                place = root / part / name
                raise ValueError(
                    f"class {name!r} has no picture in {place}; each class needs some in both splits.{hint}"
                )
        files = tuple(path for paths in splits for name in names for path in paths[name])
        pixels = _read_pictures(files, tuple(map(_stamp, files)))
        for part, paths in zip(PARTS, splits, strict=True):
            counts = ", ".join(f"{name} {len(paths[name])}" for name in names)
            _say(f"{root / part}: {sum(map(len, paths.values()))} pictures: {counts}")
        if left:
            _say(f"{root}: hidden, and so left out: {_named(left)}")
        train, test = (np.repeat(np.arange(len(names)), [len(paths[name]) for name in names]) for paths in splits)
        return Raw((pixels[: len(train)], train), (pixels[len(train) :], test), tuple(names))


@cache
def _say(line: str) -> None:
    """Once in a process: teacher, bystander and students of a call, and each job of a plan, ask for the same."""
    print(line, flush=True)


# -- which files there are ---------------------------------------------------------------------------------------------


def _classes(folder: Path, left: list[Path]) -> dict[str, list[Path]]:
    """The files of each class folder; what is hidden goes to ``left``; ValueError for what lies beside the classes."""
    expected = f"pictures are expected in {folder}/<class>/, as one of {', '.join(FORMATS)}."
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder.absolute()}; {expected}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; {expected}")
    found: dict[str, list[Path]] = {}
    stray = []
    for path in _visible(folder, left):
        if not path.is_dir():
            stray.append(path)
            continue
        # The same letters may be coded in two ways; macOS and others differ.
        name = unicodedata.normalize("NFC", path.name)
        if not name.isprintable():
            raise ValueError(f"the folder {str(path)!r} has a name that cannot be shown as text; rename it.")
        found[name] = found.get(name, []) + sorted(_files(path, left, {path.resolve()}))
    if stray:
        raise ValueError(f"{_named(stray)} beside the class folders: move each picture into its class's, or away.")
    return found


def _files(folder: Path, left: list[Path], above: set[Path]) -> Iterator[Path]:
    """All files below ``folder``, links followed; ValueError for a link that leads back to a folder ``above`` it."""
    for path in _visible(folder, left):
        if not path.is_dir():
            yield path
        elif (target := path.resolve()) in above:
            raise ValueError(f"{path} is a link to a folder that holds it ({target}): remove it.")
        else:
            yield from _files(path, left, above | {target})


def _visible(folder: Path, left: list[Path]) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(f"cannot list the folder {folder}: {error.strerror}. Change its permissions.") from error
    hidden = [path for path in paths if path.name.startswith(".") or path.name in LITTER]
    left += hidden
    return [path for path in paths if path not in hidden]


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(map(str, paths[:NAMED])) + more


# -- what is in them ---------------------------------------------------------------------------------------------------


def _stamp(file: Path) -> tuple[int, ...]:
    """Another one once the file is another, or was written."""
    try:
        one = file.stat()
    except OSError:  # whoever reads it says so
        return ()
    return one.st_ino, one.st_size, one.st_mtime_ns


@lru_cache(maxsize=1)
def _read_pictures(files: tuple[Path, ...], stamps: tuple[tuple[int, ...], ...]) -> Pixels:
    """All pictures in one array; ValueError naming the files where one is unreadable or unlike the first.

    Read once in a process while the ``stamps`` of the files stay, and in the order that tensors share.
    """
    pictures, refusals = [], []
    for path in files:
        try:
            pictures.append(_read_picture(path))
        except ValueError as error:
            refusals.append((path, error))
    if refusals:
        others = f" So it is with {_named([path for path, _ in refusals[1:]])}." if len(refusals) > 1 else ""
        raise ValueError(f"{refusals[0][1]}{others}") from refusals[0][1].__cause__
    rows, columns, channels = pictures[0].shape
    kinds = {1: "greyscale", 3: "colour"}
    for path, (height, width, depth) in zip(files, (picture.shape for picture in pictures), strict=True):
        if height != width or (height, width) != (rows, columns):
            first = f" and {files[0]} is {columns} x {rows}" if height == width else ", which is no square"
            raise ValueError(
                f"{path} is {width} x {height} pixels{first}; all pictures must be squares of one size: crop or resize "
                "them."
            )
        if depth != channels:
            raise ValueError(
                f"{path} is {kinds[depth]} and {files[0]} is {kinds[channels]}; convert all to one of them."
            )
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))


def _read_picture(path: Path) -> Pixels:
    """One picture as a viewer shows it, H x W x C; ValueError naming it where that cannot be."""
    from PIL import Image

    Image.init()
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise OSError("it is no regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=[known for known in FORMATS if known in Image.OPEN]) as picture:
                refusal = _unlike_what_is_shown(picture)
                pixels = None if refusal else _pixels(picture)
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        reason = "it is in no format that is read here" if type(error).__name__ == "UnidentifiedImageError" else error
        raise ValueError(f"cannot read the picture {path}: {reason}. Replace or remove it.") from error
    if pixels is None:
        raise ValueError(f"{path} {refusal}")
    return pixels


def _unlike_what_is_shown(picture: Any) -> str:
    """Why a viewer would show it otherwise than the pixels that are stored, and what to do; empty if it would not."""
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        return f"has {picture.n_frames} frames or pages; save the one that is meant."
    transparent = "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA")
    if picture.mode not in MODES or (transparent and picture.convert("RGBA").getextrema()[3][0] < 255):
        seen = ": what is seen through it depends on the viewer" if transparent else ""
        return f"is stored as {picture.mode}; convert it to 8-bit greyscale or RGB without transparency{seen}."
    profile = _profile(picture)
    if profile and MODES[picture.mode] == "RGB" and not (profile in SRGB or "srgb" in profile.lower()):
        return f"has its colours in the profile {profile!r}; convert it to sRGB."
    return ""


def _profile(picture: Any) -> str:
    """The name of the embedded colour profile; empty without one."""
    from PIL import ImageCms

    embedded = picture.info.get("icc_profile")
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(embedded))).strip() if embedded else ""


def _pixels(picture: Any) -> Pixels:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)  # as the camera was held
    pixels = np.asarray(upright.convert(MODES[picture.mode]), dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)
