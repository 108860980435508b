"""What images are: where they come from, and the finite set of views (crop offset x flip) that augmentation shows.

    data = load("digits")
    cut = Views(data.train, data, "cpu")
    images = cut(indices, views)  # float32 B x C x H x W, normalised

==========  =========================================================  =======  =====  ==============
name        from                                                       padding  flip   views an image
==========  =========================================================  =======  =====  ==============
digits      scikit-learn's bundled digits: real, 8x8, grey, offline    1        no     9
digits-few  the same, with 10 training images of each class            1        no     9
cifar10     the official python files, fetched if missing              4        yes    162
cifar100    the official python files, fetched if missing              4        yes    162
folder      one's own: ROOT/train/<class>/*.png, ROOT/test/<class>/*   size//8  yes    by the padding
==========  =========================================================  =======  =====  ==============

Mean and standard deviation are the field's for CIFAR, and otherwise those of the whole training split. Every file of
this folder that defines a :class:`kdnb.data.source.Source` adds a data set; nothing else has to be told.
"""

from pathlib import Path

from kdnb import registry
from kdnb.checks import choice
from kdnb.data.dataset import Dataset, Split, Views, prepare
from kdnb.data.source import Raw, Source, Statistics

__all__ = ["SOURCES", "Dataset", "Raw", "Source", "Split", "Statistics", "Views", "load"]

SOURCES = registry.find(__name__, __path__, Source)


def load(name: str, root: str | Path = "data", *, download: bool = True, limit: int | None = None) -> Dataset:
    """Load a data set by name, one of SOURCES.

    ``root`` is the folder that holds train/<class>/ and test/<class>/, or where the CIFAR files are or will be put;
    they are fetched only if missing and if ``download`` allows it.
    ``limit`` keeps that many images of each split, after a fixed shuffle that takes one of each class in turn.

    Raises ValueError for an unknown name, a bad limit, a corrupt file (which is kept) or unusable pictures;
    FileNotFoundError for missing files; ConnectionError where they cannot be downloaded. Each message says the way out.
    """
    source = SOURCES[choice("data set", name, SOURCES)]()
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit is {limit!r}; it must be a whole number of at least 1, or None for all images.")
    if not source.pictures and all((Path(root) / part).is_dir() for part in ("train", "test")):
        others = " or ".join(f"dataset={other!r}" for other, one in SOURCES.items() if one.pictures)
        raise ValueError(
            f"data_dir is {root}, which holds train/ and test/ as a folder of pictures does, and dataset is {name}: "
            f"say {others} to learn from those pictures, or leave data_dir out."
        )
    raw = source.read(Path(root), download)
    if limit is not None and limit < len(raw.class_names):
        raise ValueError(
            f"limit is {limit}; {name} has {len(raw.class_names)} classes, and each needs an image in both splits: it "
            f"must be at least {len(raw.class_names)}, or None for all images."
        )
    return prepare(source, raw, limit)
