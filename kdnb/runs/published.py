"""A run without what is large, as :mod:`kdnb.analysis.publish` writes it."""

from functools import cached_property
from typing import Any

import numpy as np

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

    def _map(self, name: str) -> np.ndarray:
        file = self._file("map.safetensors")
        tensors, _ = read_tensors(file, "published map")
        if name not in tensors:
            raise damaged(file, "published map", f"it lacks {name}")
        found: np.ndarray = tensors[name].numpy()
        return found

    @property
    def trace_epochs(self) -> list[int]:
        return list(self._entry("trace_epochs"))

    def snapshot(self, which: Which, images: Images = "test") -> Snapshot | None:
        raise FileNotFoundError(f"{self.path} was published without its outputs; name the folder of the full runs.")

    def publication(self, which: Which, images: Images) -> Publication | None:
        """What stands for a snapshot, None for none; ValueError where other images than the test set are asked for."""
        if images != "test":
            raise ValueError(
                f"{self.path} was published with its test images alone, and images is {images!r}; use 'test'."
            )
        found = self._entry(which)
        if found is None:
            return None
        labels, points = self._map("labels"), self._map(f"{which}_points").astype(float)
        return Publication(found["epoch"], labels, points, self._entry("map")["perplexity"], found["separation"])

    def class_means(self, which: Which) -> np.ndarray | None:
        return None if self._entry(which) is None else self._map(f"{which}_means").astype(np.float32)

    def row_distances(self, teacher: Run) -> np.ndarray:
        return self._map("row_distances").astype(np.float32)

    @property
    def test_images(self) -> int:
        return int(self._entry("test_images"))

    @property
    def weights_checksum(self) -> str:
        return str(self._entry("weights"))
