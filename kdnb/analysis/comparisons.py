"""``python -m kdnb compare --profile NAME``: several full runs side by side, in small files for the book.

Published runs (:mod:`kdnb.analysis.publish`) have no features any more. So this is computed from full runs, and lies
in the folder ``comparisons`` beside the published ones:

===================  =================================================================================================
stitching.parquet    a row for each student, untrained network and the pixels, and each teacher: test accuracy of the
                     teacher's classifier on their features, see :mod:`kdnb.analysis.stitching`
classes.safetensors  distance of each pair of class means of the test images, for each teacher (by the checksum of its
                     weights), each untrained network and the pixels
maps.safetensors     t-SNE maps of three networks, fp16, at several perplexities, started from the teacher's map and at
                     random; beside them each image's nearest neighbours and the class means in the feature space
===================  =================================================================================================

With several folders in ``--runs`` students of studies of one data set meet each other's teachers. Runs that are not
finished are left out. Of a teacher its publication is enough: its network, rounded, looks at the images again. What is
known of published runs that are not among the full ones stays: other seeds' rows and distances, and the maps where one
of their students is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kdnb import models, paths, progress, runs
from kdnb.analysis import separation
from kdnb.analysis.publish import subset
from kdnb.analysis.separation import Atlas
from kdnb.analysis.spaces import final, refuse_few_images, refuse_other_images
from kdnb.analysis.stitching import Features, Taught, stitch
from kdnb.data import Dataset, Views
from kdnb.files import halved, read_tensors, write_atomically, write_tensors
from kdnb.measure.outputs import collect
from kdnb.runs import Run, RunSpec, student_name, teacher_name, weights
from kdnb.runs.randomness import clean_indices, initial_network

MAPPED = (
    student_name("normal", {}, 5e-4, 0),
    student_name("kd", {"temperature": 4.0, "alpha": 0.9}, 5e-4, 0),
    teacher_name(0),
)
PERPLEXITIES, CHANCES, IMAGES = (5, 30, 100), (0, 1, 2), 1000
TEACHERS_MAP = "teacher"  # the start of a map that is not random


@dataclass(frozen=True)
class Network:
    """Whose features a teacher's classifier is put behind; ``own``: the checksum of the teacher it learned from."""

    study: str
    name: str
    kind: str  # student, untrained or pixels
    model: str
    label: str
    seed: int
    weights: str
    accuracy: float  # on the test images, with its own classifier
    own: str
    features: Features


@dataclass(frozen=True)
class Studies:
    """Finished full runs of one data set, each once; teachers, of whom some are published alone, by their checksums."""

    students: Sequence[Run]
    teachers: Mapping[str, Run]
    dataset: Dataset

    @classmethod
    def find(cls, folders: Sequence[Path], dataset: Dataset, target: Path) -> "Studies":
        """The runs under ``folders``, and teachers with their weights in ``target`` that are not among them.

        Raises FileNotFoundError or ValueError for none, for published students, and for other images.
        """
        every = [run for folder in folders for run in runs.find(folder)]
        listed = ", ".join(map(str, folders))
        if not every:
            raise FileNotFoundError(f"{listed}: no finished runs; train them first, or name their folders with --runs.")
        if small := [str(run.path) for run in every if run.is_published]:
            raise ValueError(f"published without their features: {', '.join(small)}; name the full runs with --runs.")
        published = [run for run in runs.find(target, role="teacher") if (run.path / "model.safetensors").exists()]
        every += published
        refuse_other_images(every)
        teachers: dict[str, Run] = {}
        for run in every:
            if run.spec.role == "teacher":
                teachers.setdefault(run.weights_checksum, run)
        students = runs.find_students(folders)
        if not teachers or not students:
            raise ValueError(f"{listed}: {len(students)} students and {len(teachers)} teachers; it takes both.")
        if students[0].spec.data_checksum != dataset.checksum:
            spec = students[0].spec
            raise ValueError(
                f"the runs saw other data ({spec.dataset}, {spec.data_checksum[:12]}) than {dataset.name} "
                f"({dataset.checksum[:12]}) here; name their --data-dir, or the --limit that they had."
            )
        return cls(students, teachers, dataset)

    @property
    def spec(self) -> RunSpec:
        """Of any of its students: data set and clean images are those of all."""
        return self.students[0].spec

    @cached_property
    def labels(self) -> np.ndarray:
        """Of the test images."""
        return final(self.students[0]).labels

    @cached_property
    def spaces(self) -> dict[str, Features]:
        """What the teachers make of the images."""
        return {checksum: self._space(run) for checksum, run in self.teachers.items()}

    def _space(self, run: Run) -> Features:
        if run.is_published:
            return self._features(weights.network(run.spec.model, run.weights(), self.dataset, str(run.path)))
        return Features(final(run, "train").features, final(run).features)

    def networks(self) -> Iterator[Network]:
        """Every student at its last epoch."""
        for run in self.students:
            test, clean = final(run), final(run, "train")
            own = run.spec.teacher["checksum"] if run.spec.teacher else ""
            told = (run.path.absolute().parent.name, run.path.name, "student", run.spec.model, run.label)
            accuracy = float((test.logits.argmax(1) == test.labels).mean())
            features = Features(clean.features, test.features)
            yield Network(*told, run.spec.init_seed, run.weights_checksum, accuracy, own, features)

    def mapped(self, folder: Path) -> list[Run]:
        """The networks in MAPPED that ``folder`` holds; their teacher, which may be published alone, is the last."""
        taught = {run.spec.teacher["checksum"] for run in self.students if run.spec.teacher}
        published = [run for checksum, run in self.teachers.items() if run.is_published and checksum in taught]
        mine = [run for run in (*self.students, *self.teachers.values()) if run.path.parent == folder]
        there = {run.spec.name: run for run in (*published, *mine)}
        return [there[name] for name in MAPPED if name in there]

    @cached_property
    def views(self) -> list[tuple[Views, Tensor]]:
        """The clean training images and the test images, as numbers of a view."""
        train, test = self.dataset.train, self.dataset.test
        parts = ((train, clean_indices(self.spec, len(train.labels))), (test, torch.arange(len(test.labels))))
        return [(Views(split, self.dataset, "cpu"), images) for split, images in parts]

    def _features(self, network: models.Network) -> Features:
        return Features(*(collect(network, cut, images).features.numpy() for cut, images in self.views))

    def floors(self) -> Iterator[Network]:
        """What nothing was learned in: the pixels, and the students' networks before their first step."""
        seen = [cut(images, torch.tensor([cut.identity])).flatten(1).numpy() for cut, images in self.views]
        yield Network("", "pixels", "pixels", "", "pixels", 0, "", np.nan, "", Features(*seen))
        for (model, seed), spec in {(run.spec.model, run.spec.init_seed): run.spec for run in self.students}.items():
            features = self._features(initial_network(spec, self.dataset))
            name = f"untrained-{model}-s{seed}"
            yield Network("", name, "untrained", model, "untrained", seed, "", np.nan, "", features)


def stitching(found: Studies, floors: Sequence[Network]) -> pd.DataFrame:
    """The table of ``stitching.parquet``."""
    taught = []
    for checksum, run in found.teachers.items():
        weight, bias = (run.weights()[f"classifier.{name}"].float().numpy() for name in ("weight", "bias"))
        taught.append(Taught(weight, bias, found.spaces[checksum].clean))
    count = len(found.students) + len(floors)
    networks = chain(found.networks(), floors)
    rows = []
    for _, network in zip(progress.track(range(count), count, 0, "stitching", "network"), networks, strict=True):
        about = {name: value for name, value in vars(network).items() if name not in ("own", "features")}
        for run, stitched in zip(found.teachers.values(), stitch(taught, network.features, found.labels), strict=True):
            rows.append(about | _teacher(network, run, found.teachers) | stitched._asdict())
    return pd.DataFrame(rows)


def _teacher(network: Network, run: Run, teachers: Mapping[str, Run]) -> dict[str, str]:
    """What a row says of a teacher. Its relation: own, the student learned from it; alike, a teacher of the same model;
    other, another model, or a network that never learned.
    """
    own, checksum = teachers.get(network.own), run.weights_checksum
    alike = "alike" if own and own.spec.model == run.spec.model else "other"
    return {
        "teacher": f"{run.path.absolute().parent.name}/{run.path.name}",
        "teacher_model": run.spec.model,
        "teacher_weights": checksum,
        "relation": "own" if checksum == network.own else alike,
    }


def classes(found: Studies, floors: Sequence[Network]) -> dict[str, Tensor]:
    """The tensors of ``classes.safetensors``: K (K - 1) / 2 each."""
    spaces = {checksum: space.test for checksum, space in found.spaces.items()}
    spaces |= {floor.name: floor.features.test for floor in floors}
    return {name: torch.from_numpy(separation.class_gaps(x, found.labels)).float() for name, x in spaces.items()}


def maps(found: Studies, folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of ``maps.safetensors``; students as they were at matched accuracy, where they reached it.

    Of the networks that :meth:`Studies.mapped` finds in ``folder``; FileNotFoundError without the teacher.
    """
    networks = found.mapped(folder)
    if not networks or networks[-1].spec.role != "teacher":
        raise FileNotFoundError(f"{folder} has no finished {MAPPED[-1]}; every map starts from the teacher's.")
    *students, teacher = networks
    taken = {run.label: run.snapshot("matched") or final(run) for run in students}
    every = {name: snapshot.features for name, snapshot in taken.items()}
    every[teacher.label] = found.spaces[teacher.weights_checksum].test
    epochs = {name: snapshot.epoch for name, snapshot in taken.items()} | {teacher.label: teacher.spec.epochs}
    images = subset(found.labels, IMAGES)
    labels, features = found.labels[images], {name: x[images] for name, x in every.items()}
    tensors = {"images": torch.from_numpy(images).int(), "labels": torch.from_numpy(labels).short()}
    for name, x in features.items():
        tensors[f"{name}/neighbours"] = torch.from_numpy(separation.nearest(x)).short()
        tensors[f"{name}/means"] = halved(separation.class_means(x, labels))
    tensors |= {name: halved(torch.from_numpy(points)) for name, points in _drawn(features)}
    told = {run.label: {"run": run.path.name, "epoch": epochs[run.label]} for run in networks}
    return tensors, {"networks": told, "perplexities": PERPLEXITIES, "starts": [TEACHERS_MAP, *map(_start, CHANCES)]}


def _drawn(features: Mapping[str, np.ndarray]) -> Iterator[tuple[str, separation.Map]]:
    """Each map with its name: network, perplexity and start."""
    done = progress.track(range(len(PERPLEXITIES)), len(PERPLEXITIES), 0, "maps", "perplexity")
    for perplexity, _ in zip(PERPLEXITIES, done, strict=True):
        atlas = Atlas.of(features["teacher"], perplexity)
        for name, x in features.items():
            yield f"{name}/{perplexity}/{TEACHERS_MAP}", atlas.reference if name == "teacher" else atlas.map(x)
            for chance in CHANCES:
                yield f"{name}/{perplexity}/{_start(chance)}", atlas.map(x, chance)


def _start(chance: int) -> str:
    return f"random {chance}"


def _with_published(table: pd.DataFrame, file: Path, target: Path) -> pd.DataFrame:
    """``table``, and rows of ``file`` of published students and of floors that are not in it, teacher by teacher."""
    if not file.exists():
        return table
    earlier = pd.read_parquet(file)
    known = earlier["weights"].isin({run.weights_checksum for run in runs.find(target, role="student")})
    known |= earlier["kind"] != "student"
    key = ["name", "weights", "teacher_weights"]
    new = pd.MultiIndex.from_frame(earlier[key]).isin(pd.MultiIndex.from_frame(table[key]))
    return pd.concat([earlier[known & ~new], table], ignore_index=True)


def _with_known(gaps: Mapping[str, Tensor], file: Path, target: Path) -> dict[str, Tensor]:
    """``gaps``, and those of ``file`` of published teachers and of floors that are not in it."""
    earlier = read_tensors(file)[0] if file.exists() else {}
    published = {run.weights_checksum for run in runs.find(target, role="teacher")}
    kept = {name: gap for name, gap in earlier.items() if name in published or name.startswith("untrained-")}
    return kept | dict(gaps)


def write(folders: Sequence[Path], dataset: Dataset, target: Path) -> list[Path]:
    """Compute all and write it under ``target``/comparisons; return the files that were written."""
    found = Studies.find(folders, dataset, target)
    refuse_few_images(len(found.labels), max(PERPLEXITIES))
    print(f"{len(found.students)} students, {len(found.teachers)} teachers of {dataset.name}", flush=True)
    place, floors = target / paths.COMPARISONS, list(found.floors())
    files = [place / name for name in ("maps.safetensors", "classes.safetensors", "stitching.parquet")]
    whole = len(found.mapped(folders[0])) == len(MAPPED)
    drawn = maps(found, folders[0]) if whole or not files[0].exists() else None
    gaps = _with_known(classes(found, floors), files[1], target)
    table = _with_published(stitching(found, floors), files[2], target)
    if drawn:
        write_tensors(files[0], *drawn)  # not before all is computed: the files are of the same runs
    write_tensors(files[1], gaps, {})
    write_atomically(files[2], lambda file: table.to_parquet(file, index=False, compression="zstd"))
    return files if drawn else files[1:]
