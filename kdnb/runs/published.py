"""A run without what is large, as :mod:`kdnb.analysis.publish` writes it."""

from functools import cached_property
from typing import Any, get_args

import numpy as np
from torch import Tensor

from kdnb.checks import choice
from kdnb.files import damaged, read_json, read_tensors
from kdnb.runs.contents import Images, Publication, Snapshot, Which
from kdnb.runs.store import Run


class PublishedRun(Run):
    """A run that tells of its outputs what was computed from them."""

    is_published = True

    @cached_property
    def told(self) -> dict[str, Any]:
        """What ``published.json`` says; empty where it was not written yet."""
        file = self._file("published.json")
        return read_json(file, "publication") if file.exists() else {}

    def _entry(self, name: str) -> Any:
        """One of what ``published.json`` says; ValueError where it says nothing of it."""
        if name not in self.told:
            raise damaged(self._file("published.json"), "publication", f"it lacks {name}")
        return self.told[name]

    def _without(self, what: str) -> FileNotFoundError:
        return FileNotFoundError(f"{self.path} was published without its {what}; name the folder of the full runs.")

    def _map(self, name: str) -> np.ndarray:
        file = self._file("map.safetensors")
        if not (file.exists() or any(self.told.get(which) for which in get_args(Which))):  # a bystander's
            raise self._without("map and distances")
        tensors, _ = read_tensors(file, "published map")
        if name not in tensors:
            raise damaged(file, "published map", f"it lacks {name}")
        found: np.ndarray = tensors[name].numpy()
        return found

    def _taken(self, which: Which) -> Any:
        """What is told of a snapshot; None where there is none."""
        return self._entry(choice("snapshot", which, get_args(Which)))

    @property
    def trace_epochs(self) -> list[int]:
        return list(self._entry("trace_epochs"))

    def snapshot(self, which: Which, images: Images = "test") -> Snapshot | None:
        raise self._without("outputs")

    def weights(self) -> dict[str, Tensor]:
        if not self._file("model.safetensors").exists():
            raise self._without("weights")
        return super().weights()

    def publication(self, which: Which, images: Images) -> Publication | None:
        """What stands for a snapshot, None for none; ValueError where other images than the test set are asked for."""
        if images != "test":
            raise ValueError(
                f"{self.path} was published with its test images alone, and images is {images!r}; use 'test'."
            )
        found = self._taken(which)
        if found is None:
            return None
        labels, points = self._map("labels"), self._map(f"{which}_points").astype(float)
        return Publication(found["epoch"], labels, points, self._entry("map")["perplexity"], found["separation"])

    def class_means(self, which: Which) -> np.ndarray | None:
        return None if self._taken(which) is None else self._map(f"{which}_means").astype(np.float32)

    def row_distances(self, teacher: Run) -> np.ndarray:
        return self._map("row_distances").astype(np.float32)

    @property
    def test_images(self) -> int:
        return int(self._entry("test_images"))

    @property
    def weights_checksum(self) -> str:
        return str(self._entry("weights"))
