"""CIFAR-10 and -100 from the official python files, fetched if they are missing (Krizhevsky 2009).

torchvision knows addresses and checksums and reads the files. What it would do to a damaged or missing one (download
anew, or say that something is "not found or corrupted") is done here, so that nothing is overwritten or unpickled
before its checksum is found right, and a refusal names the file and the way out.
"""

import http.client
import os
import shutil
import tempfile
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from kdnb.data.source import Raw, Source

# CIFAR-100's 20 superclasses, gathered further so that a colour can be told from another.
SUPERCLASSES = {
    "sea animals": {
        "aquatic mammals": "beaver dolphin otter seal whale",
        "fish": "aquarium_fish flatfish ray shark trout",
    },
    "land mammals": {
        "large carnivores": "bear leopard lion tiger wolf",
        "large omnivores and herbivores": "camel cattle chimpanzee elephant kangaroo",
        "medium mammals": "fox porcupine possum raccoon skunk",
        "small mammals": "hamster mouse rabbit shrew squirrel",
    },
    "plants": {
        "flowers": "orchid poppy rose sunflower tulip",
        "fruit and vegetables": "apple mushroom orange pear sweet_pepper",
        "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    },
    "people": {"people": "baby boy girl man woman"},
    "household": {
        "food containers": "bottle bowl can cup plate",
        "household electrical devices": "clock keyboard lamp telephone television",
        "household furniture": "bed chair couch table wardrobe",
    },
    "reptiles, invertebrates": {
        "reptiles": "crocodile dinosaur lizard snake turtle",
        "insects": "bee beetle butterfly caterpillar cockroach",
        "non-insect invertebrates": "crab lobster snail spider worm",
    },
    "landscape, buildings": {
        "large natural outdoor scenes": "cloud forest mountain plain sea",
        "large man-made outdoor things": "bridge castle house road skyscraper",
    },
    "vehicles": {
        "vehicles 1": "bicycle bus motorcycle pickup_truck train",
        "vehicles 2": "lawn_mower rocket streetcar tank tractor",
    },
}
# What an address that cannot be reached or gives another file raises, in urllib and torchvision.
_NO_DOWNLOAD = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, RuntimeError)
_SCRATCH, _ALIVE = ".fetch-", "alive.lock"
NAMES = sorted(name for kinds in SUPERCLASSES.values() for names in kinds.values() for name in names.split())


class CIFAR10(Source):
    """50,000 + 10,000 pictures of 32 x 32 pixels, in colour."""

    name = "cifar10"
    fetched = True
    statistics = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))

    def read(self, root: Path, download: bool) -> Raw:
        """From the files in ``root``; the network is used only where they are missing."""
        from torchvision import datasets

        kind = getattr(datasets, self.name.upper())
        if _missing_files(kind, root / kind.base_folder):
            _fetch(kind, root, download)
        parts = [kind(root, train=train) for train in (True, False)]
        train, test = ((part.data.transpose(0, 3, 1, 2), np.array(part.targets, np.int64)) for part in parts)
        return Raw(train, test, tuple(parts[0].classes))


class CIFAR100(CIFAR10):
    """The same number of other pictures, a hundred classes in the order of the alphabet."""

    name = "cifar100"
    statistics = ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
    groups = {
        group: {NAMES.index(one): f"{one} ({kind})" for kind, names in kinds.items() for one in names.split()}
        for group, kinds in SUPERCLASSES.items()
    }


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
            "It was kept as it is; to fetch it again, move it away and run again."
        )


def _fetch(kind: Any, root: Path, download: bool) -> None:
    """Unpack the archive in ``root``, downloading it if need be, and put the files that are missing in their place.

    All happens in a scratch folder in the nearest folder that is there, so that an interrupted download leaves no half
    file behind, and a failed one no folder. What a killed one left is removed by the next.
    """
    from torchvision.datasets.utils import download_url, extract_archive

    archive, folder = root / kind.filename, root / kind.base_folder
    way_out = f"Put {kind.filename} (from {kind.url}) or its unpacked folder {kind.base_folder} into {root.resolve()}"
    if root.exists() and not root.is_dir():
        raise ValueError(f"{root} is a file; data_dir must be a folder, or where one can be made.")
    _check_whole(archive, kind.tgz_md5)
    if not archive.exists() and not download:
        missing = ", ".join(_missing_files(kind, folder))
        allowed = f"kdnb.data.load({kind.__name__.lower()!r}, {str(root)!r})"
        raise FileNotFoundError(f"missing in {folder}: {missing}. {way_out}, or allow the download: {allowed}.")
    with _scratch_folder(next(place for place in (root, *root.resolve().parents) if place.is_dir())) as scratch:
        if not archive.exists():
            archive = scratch / kind.filename
            try:
                download_url(kind.url, str(scratch), kind.filename, kind.tgz_md5)
            except _NO_DOWNLOAD as error:
                raise ConnectionError(f"cannot download {kind.filename}: {error}. {way_out} and run again.") from error
        extract_archive(archive, scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in _missing_files(kind, folder):
            os.replace(scratch / kind.base_folder / name, folder / name)


@contextmanager
def _scratch_folder(place: Path) -> Iterator[Path]:
    """A folder in ``place`` that goes with its owner, after those that killed owners left.

    A lock in it says that its owner lives: the system frees it when a process ends, in whatever way.
    """
    for left in place.glob(f"{_SCRATCH}*/{_ALIVE}"):
        with suppress(Timeout, OSError), FileLock(left, timeout=0):
            shutil.rmtree(left.parent, ignore_errors=True)
    made = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=place, ignore_cleanup_errors=True)
    with made as scratch, FileLock(Path(scratch) / _ALIVE):
        yield Path(scratch)
