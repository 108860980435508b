"""What classes are called and how they are coloured: one colour a class while there are few, else one a group."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdnb.figures import style

# CIFAR-100's 20 superclasses (Krizhevsky 2009), gathered further so that a colour can be told from another.
CIFAR100 = {
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


@dataclass(frozen=True)
class Group:
    """Classes of one colour: the group's name in legends, and what each of its labels is called."""

    name: str
    color: str
    classes: Mapping[int, str]


def groups(dataset: str, labels: np.ndarray) -> list[Group]:
    """The groups of a data set; one for each class among ``labels`` (N) where its classes have no names here."""
    if dataset != "cifar100":
        names = {int(k): f"class {k}" for k in np.unique(labels)}
        return [Group(name, _color(i), {k: name}) for i, (k, name) in enumerate(names.items())]
    number = {name: k for k, name in enumerate(cifar100_names())}
    return [
        Group(
            group, _color(i), {number[one]: f"{one} ({kind})" for kind, names in kinds.items() for one in names.split()}
        )
        for i, (group, kinds) in enumerate(CIFAR100.items())
    ]


def cifar100_names() -> list[str]:
    """CIFAR-100's class names in the order of its labels, which is the alphabet's."""
    return sorted(name for kinds in CIFAR100.values() for names in kinds.values() for name in names.split())


def _color(place: int) -> str:
    return style.CLASSES[place % len(style.CLASSES)]
