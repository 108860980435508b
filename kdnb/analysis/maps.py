"""The feature spaces of 05_tsne, at matched accuracy or the last epoch: maps, and how classes keep apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from kdnb.analysis import spaces as feature_spaces
from kdnb.analysis.selection import MapParameters
from kdnb.analysis.separation import Map, Separation
from kdnb.analysis.spaces import Space
from kdnb.analysis.study import Study
from kdnb.runs.contents import Images, Which


@dataclass(frozen=True)
class Spaces:
    """Feature spaces of the same images: students by label, at matched accuracy or their end, then the teacher's end.

    ``missing``: students that never reached the accuracy.
    """

    study: Study
    networks: Mapping[str, Space]
    missing: Sequence[str]
    images: Images
    which: Which

    @property
    def reference(self) -> str:
        """The network whose map the others start from: the teacher, or the first student where there is none."""
        return "teacher" if "teacher" in self.networks else next(iter(self.networks))


def spaces(study: Study, images: Images, which: Which) -> Spaces:
    """Spaces of every student that has one, and of the teacher; ValueError when no network has any."""
    taken = {run.label: feature_spaces.space(run, which, images) for run in study.students}
    networks = {label: space for label, space in taken.items() if space is not None}
    if study.teacher is not None and (end := feature_spaces.space(study.teacher, "final", images)) is not None:
        networks["teacher"] = end
    if not networks:
        raise ValueError(
            f"no network in {study.folder} has a snapshot: no student reached its matched_accuracy, and the teacher's "
            "run is not there. Train longer, or with a lower matched_accuracy."
        )
    return Spaces(study, networks, [label for label, space in taken.items() if space is None], images, which)


def late(study: Study, images: Images) -> Spaces:
    """Spaces at matched accuracy where all students reached it in the second half of their training, else their ends.

    The paper compares students at about 91 % accuracy, of 240 epochs: a match in the first is another comparison.
    """
    ends = spaces(study, images, "final")
    epochs = [space.epoch for run in study.students if (space := feature_spaces.space(run, "matched", images))]
    is_late = len(epochs) == len(study.students) and min(epochs) > study.epochs / 2
    return spaces(study, images, "matched") if is_late else ends


def maps(found: Spaces, chosen: MapParameters) -> dict[str, Map]:
    """t-SNE maps by label of ``chosen.points`` images at most, each started from the reference's map.

    Of published runs the maps that were published; ValueError when other ones are asked for.
    """
    return feature_spaces.maps(found.networks, found.reference, chosen.perplexity, chosen.points)


def measured(found: Spaces) -> pd.DataFrame:
    """Separation of the classes in feature space, a row a network: the fields of ``Separation``, epoch,
    and distances in units of the mean feature length (``between_norm``, ``within_norm``).
    """
    rows = [vars(space.separation) for space in found.networks.values()]
    table = pd.DataFrame(rows, index=list(found.networks), columns=[field.name for field in fields(Separation)])
    table["between_norm"], table["within_norm"] = table["between"] / table["norm"], table["within"] / table["norm"]
    table["epoch"] = [space.epoch for space in found.networks.values()]
    return table
