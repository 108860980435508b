"""What images are: where they come from, and the finite set of views that augmentation shows of them."""

from kdnb.data.dataset import Dataset, Split, Statistics, Views, load

__all__ = ["Dataset", "Split", "Statistics", "Views", "load"]
