"""scikit-learn's bundled digits: real, 8 x 8, grey, and there without a network.

The 901 test digits are a fixed stratified half, for digits are easy and accuracies near 1 need many images to tell them
apart; the 896 left to train on are exactly 14 batches of 64.
"""

from pathlib import Path

import numpy as np

from kdnb.data.source import Raw, Source, balanced_order

TEST_SIZE = 901
FEW = 10  # training images a class of digits-few


class Digits(Source):
    """The 1797 digits in a fixed stratified split; their values 0..16 become 0..255."""

    name = "digits"
    flip = False  # a mirrored digit is no digit

    def read(self, root: Path, download: bool) -> Raw:
        """From the installed scikit-learn."""
        from sklearn.datasets import load_digits  # here, because it takes a second that the others need not wait for
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        pixels = np.rint(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
        parts = train_test_split(np.arange(len(labels)), test_size=TEST_SIZE, stratify=labels, random_state=0)
        train, test = ((pixels[part], labels[part].astype(np.int64)) for part in parts)
        return Raw(train, test, tuple("0123456789"))


class FewDigits(Digits):
    """The same with :data:`FEW` training images a class; all test images."""

    name = "digits-few"

    def read(self, root: Path, download: bool) -> Raw:
        """The first of each class in a fixed order."""
        full = super().read(root, download)
        pixels, labels = full.train
        kept = balanced_order(labels)[: FEW * len(full.class_names)]
        return full._replace(train=(pixels[kept], labels[kept]))
