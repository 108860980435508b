"""What classes are called and how they are coloured: one colour a class while there are few, else one a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from kdnb.data import SOURCES
from kdnb.figures import style


@dataclass(frozen=True)
class Group:
    """Classes of one colour: the group's name in legends, and what each of its labels is called."""

    name: str
    color: str
    classes: Mapping[int, str]


def groups(dataset: str, labels: np.ndarray) -> list[Group]:
    """The groups that the data set says it has; else one for each class among ``labels`` (N)."""
    known = SOURCES[dataset].groups if dataset in SOURCES else {}
    each = {f"class {k}": {int(k): f"class {k}"} for k in np.unique(labels)}
    colors = cycle(style.CLASSES)
    return [
        Group(name, color, classes) for color, (name, classes) in zip(colors, (known or each).items(), strict=False)
    ]
