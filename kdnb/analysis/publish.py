"""``python -m kdnb publish --profile NAME``: small copies of a study's finished runs, fit for the repository.

A published run is a folder that :mod:`kdnb.runs` reads like any other:

======================  ==============================================================================================
as they are             ``spec.json``, ``provenance.json``
history.parquet         every number that a verdict rests on, in single precision
classifier.safetensors  fp16, after the last epoch; the teacher's also after the first, the matched and the one before
                        the rate first falls
published.json          measures of all test images at the matched and the final epoch; checksum of the full weights
map.safetensors         fp16: t-SNE coordinates of 2,000 test images (:func:`subset`) at these two epochs, all maps
                        of a study started from its teacher's (:class:`kdnb.analysis.separation.Atlas`); class means;
                        distance of each class's row of the classifier to the teacher's, after every epoch; labels
model.safetensors       of teacher and bystander, matrices in fp16, so that more students can be trained of them; not
                        of one whose weights are too large for a repository
======================  ==============================================================================================

Of a bystander there is no map. Of a teacher its publication is enough, so that students of a published one can be
published where its own run is not: its map is then where theirs start, its classifier is rounded, and
``published.json`` says so. A run that is published already, and has not changed, is left alone. All runs are put in
place together, once all are made; until then they wait in a hidden folder beside, where a call that was stopped
leaves those it had finished for the next one.
"""

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kdnb import runs
from kdnb.analysis import separation, staging
from kdnb.analysis.spaces import WHICH, final, refuse_few_images, refuse_other_images
from kdnb.data.source import balanced_order
from kdnb.files import halved, write_json, write_tensors
from kdnb.runs import PublishedRun, Run

FORMAT = 3  # of what is below: another one has every run published anew
IMAGES, PERPLEXITY, MAP_SEED = 2000, 30.0, 0
RUN_BYTES, TEACHER_BYTES, ALL_BYTES = 600_000, 4_000_000, 30_000_000  # a run without weights; a teacher's; everything
SOURCES = ("spec.json", "history.parquet", "classifier.safetensors", "model.safetensors", "features-*.safetensors")


def subset(labels: np.ndarray, count: int = IMAGES) -> np.ndarray:
    """Indices of ``count`` images at most, the same for the same labels (N): shuffled, each class taking its turn."""
    chosen: np.ndarray = balanced_order(labels)[:count]
    return chosen


def with_halved_matrices(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict whose matrices and kernels are fp16; vectors (batch norm, bias), a hundredth of it, stay fp32."""
    return {name: halved(w) if w.ndim > 1 and w.is_floating_point() else w for name, w in weights.items()}


@dataclass(frozen=True)
class Source:
    """The finished runs of one study: its teacher, and who stands by."""

    folder: Path
    every: Sequence[Run]
    teacher: Run

    @classmethod
    def find(cls, folder: Path, target: Path) -> "Source":
        """The finished runs under ``folder``; FileNotFoundError for none, ValueError unless one teacher taught them.

        It may be there, or published in ``target``. Where no student is finished, the first teacher is theirs.
        """
        every = runs.find(folder)
        if not every:
            raise FileNotFoundError(f"{folder} holds no finished runs; train them, or name their folder with --runs.")
        there = sorted(file.parent for file in folder.glob("*/spec.json"))
        if unfinished := [place.name for place in there if not Run(place).finished]:
            print(f"not finished, and left out: {', '.join(unfinished)}", flush=True)
        refuse_other_images(every)
        teachers = [run for run in every if run.spec.role == "teacher"]
        if taught := {run.spec.teacher["checksum"] for run in every if run.spec.teacher}:
            published = [run for run in runs.find(target, role="teacher") if run.is_published]
            teachers = [run for run in (*teachers, *published) if run.weights_checksum in taught]
        if not teachers:
            raise ValueError(
                f"neither {folder} nor {target} has the teacher of these students; every map starts from the "
                "teacher's. Of one in a file (teacher_weights) there is no run, so its students cannot be published: "
                "publish those of one that was trained here."
            )
        if len(taught) > 1:
            raise ValueError(
                f"{folder} holds students of {len(taught)} teachers, and a published study has one, from whose map "
                "every map starts: move the students of each into a folder of their own, and name it with --runs."
            )
        return cls(folder, every, teachers[0])

    @cached_property
    def atlas(self) -> separation.Atlas:
        """What the study's maps start from; computed when the first is needed."""
        if known := self.teacher.publication("final", "test") if isinstance(self.teacher, PublishedRun) else None:
            return separation.Atlas.around(known.points, PERPLEXITY, MAP_SEED)
        taken = final(self.teacher)
        return separation.Atlas.of(taken.features[subset(taken.labels)], PERPLEXITY, MAP_SEED)

    @property
    def about_maps(self) -> dict[str, Any]:
        """What ``published.json`` says of a run's maps; in the usual case as ever, or maps would be drawn anew."""
        about = {"perplexity": PERPLEXITY, "seed": MAP_SEED, "reference": self.teacher.path.name}
        return about | ({"reference_published": True} if self.teacher.is_published else {})

    def is_bystander(self, run: Run) -> bool:
        """Whether no student learned from it."""
        return run.spec.role == "teacher" and run is not self.teacher


def digest(source: Source, run: Run) -> str:
    """sha256 over all that the publication of ``run`` is made of."""
    settings = f"{FORMAT} {IMAGES} {PERPLEXITY} {MAP_SEED} {source.is_bystander(run)}".encode()
    files = [file for pattern in SOURCES for folder in (run.path, source.teacher.path) for file in folder.glob(pattern)]
    return hashlib.sha256(
        settings + b"".join(hashlib.sha256(f.read_bytes()).digest() for f in sorted(files))
    ).hexdigest()


def is_current(source: Source, run: Run, target: Path) -> bool:
    """Whether ``run`` is published in ``target`` as it is.

    Raises ValueError when a run of another spec, or one with all its outputs, lies there: neither is overwritten.
    """
    place = target / run.spec.name
    if not (place / "spec.json").exists():
        return False
    there = PublishedRun.open(target, run.spec)
    if there.finished and not there.told:
        raise ValueError(
            f"{place} holds a full run, not a published one; nothing was overwritten: choose another --output."
        )
    if not (place / "finished").exists() or there.told.get("source") != digest(source, run):
        return False
    try:  # what is damaged says so; what is gone is made anew
        _ = there.history, there.trace(), there.class_means("final")
    except FileNotFoundError:
        return False
    return True


def build(source: Source, run: Run, folder: Path, before: PublishedRun) -> Run:
    """Write the publication of ``run`` under ``folder``; ``before``: where it may have been published earlier."""
    made = PublishedRun.open(folder, run.spec)
    made.write_provenance(run.provenance)
    write_history(run.history, made.path / "history.parquet")
    epochs = kept_epochs(run) if run is source.teacher else [run.spec.epochs]
    rows = [run.trace_epochs.index(epoch) for epoch in epochs]
    weight, bias = (halved(torch.from_numpy(values[rows])) for values in run.trace())
    write_tensors(made.path / "classifier.safetensors", {"weight": weight, "bias": bias}, {})
    note: dict[str, Any] = {
        "source": digest(source, run),
        "weights": run.weights_checksum,
        "trace_epochs": epochs,
        "history": "float32",
        "test_images": len(final(run).labels),
        "map": source.about_maps,
    }
    bystander = source.is_bystander(run)
    measures = dict.fromkeys(WHICH) if bystander else _kept_map(note, before, made) or _write_map(source, run, made)
    write_json(made.path / "published.json", note | measures)
    if run.spec.role == "teacher":
        file = made.path / "model.safetensors"
        write_tensors(file, with_halved_matrices(run.weights()), {})
        if file.stat().st_size > TEACHER_BYTES:
            print(f"{run.path.name}: {file.stat().st_size / 1e6:.1f} MB of weights are left out", flush=True)
            file.unlink()
    (made.path / "finished").touch()
    return made


def write_history(history: pd.DataFrame, file: Path) -> None:
    """In few bytes: single precision, no dictionary of numbers of which no two are alike, no statistics.

    Seven digits are what training itself computes in.
    """
    small = history.astype(dict.fromkeys(history.select_dtypes("float"), np.float32))
    small.to_parquet(
        file,
        index=False,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        use_byte_stream_split=list(small.select_dtypes("float")),
        write_statistics=False,
        store_schema=False,
    )


def kept_epochs(run: Run) -> list[int]:
    """The epochs of a teacher whose classifier is published."""
    last = run.spec.epochs
    first_drop = min(max(1, run.spec.drops[0]), last) if run.spec.drops else 1
    return sorted({1, run.matched_epoch or 1, first_drop, last})


def _kept_map(note: dict[str, Any], before: PublishedRun, made: Run) -> dict[str, Any]:
    """Copy the maps of the same weights that were published earlier; return their measures, nothing where none were."""
    known, file, mark = before.told, before.path / "map.safetensors", before.path / "finished"
    if not (mark.exists() and file.exists()) or any(known.get(key) != note[key] for key in ("weights", "map")):
        return {}
    shutil.copyfile(file, made.path / file.name)
    return {which: known[which] for which in WHICH}


def _write_map(source: Source, run: Run, made: Run) -> dict[str, Any]:
    """Write ``map.safetensors``; return the measures by snapshot, None for one there is not."""
    tensors: dict[str, Tensor] = {}
    measures: dict[str, Any] = dict.fromkeys(WHICH)
    for which in WHICH:
        if (taken := run.snapshot(which)) is None:
            continue
        chosen = subset(taken.labels)
        features, labels = torch.from_numpy(taken.features), torch.from_numpy(taken.labels).long()
        is_reference = run is source.teacher and which == "final"
        points = source.atlas.reference if is_reference else source.atlas.map(taken.features[chosen])
        means = separation.class_means(features, labels)
        tensors |= {f"{which}_points": halved(torch.from_numpy(points)), f"{which}_means": halved(means)}
        tensors["labels"] = labels[chosen].short()
        measures[which] = {"epoch": taken.epoch, "separation": vars(separation.measures(features, labels))}
    tensors["row_distances"] = halved(torch.from_numpy(run.row_distances(source.teacher)))
    write_tensors(made.path / "map.safetensors", tensors, {})
    return measures


def size(folder: Path, without: str = "") -> int:
    """Bytes of the files under ``folder``, but those of the name ``without``."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != without)


def _refuse_large(made: Sequence[Run], target: Path) -> None:
    """ValueError when a run, or all that ``target`` would then hold, is more than a repository should carry."""
    # Without the weights: only a teacher has them, and all its students share them.
    own = {run: size(run.path, without="model.safetensors") for run in made}
    if large := [f"{run.path.name} ({size(run.path) / 1e6:.2f} MB)" for run in made if own[run] > RUN_BYTES]:
        raise ValueError(f"above {RUN_BYTES / 1e6:g} MB: {', '.join(large)}; to carry that, raise publish.RUN_BYTES.")
    names = {run.path.name for run in made}
    kept = sum(size(folder) for folder in target.glob("*") if folder.name not in names)
    if (total := kept + sum(size(run.path) for run in made)) > ALL_BYTES:
        raise ValueError(
            f"{target} would hold {total / 1e6:.1f} MB, more than {ALL_BYTES / 1e6:g}; publish fewer runs: name with "
            "--runs a folder that holds the teachers and one seed."
        )


def _refuse_orphans(source: Source, target: Path) -> None:
    """ValueError when a teacher would take the place of one that students in ``target`` were trained with."""
    teachers = [run for run in source.every if run.spec.role == "teacher"]
    there = {PublishedRun(target / run.spec.name).told.get("weights") for run in teachers}
    gone = there - {run.weights_checksum for run in teachers}
    for run in runs.find(target, role="student") if gone else []:
        if any(one["checksum"] in gone for one in (run.spec.teacher, run.spec.bystander) if one):
            raise ValueError(f"{run.path} was trained with another teacher of that name; choose another --output.")


def _made(source: Source, run: Run, place: Path, target: Path) -> Run:
    """The publication of ``run`` in ``place``: what a call that was stopped has left there, or made now."""
    made = PublishedRun(place / run.spec.name)
    with suppress(ValueError):  # another spec, or damaged
        if is_current(source, run, place):
            return made
    shutil.rmtree(made.path, ignore_errors=True)
    return build(source, run, place, PublishedRun(target / run.spec.name))


def publish(folder: Path, target: Path) -> list[Run]:
    """Publish the finished runs under ``folder`` into ``target``; return those that were written anew.

    Raises FileNotFoundError or ValueError, and then leaves ``target`` as it is, for no finished runs, a missing
    teacher, lost features, runs of other images or of too few, damaged files, runs of another spec in ``target``, and
    for sizes that a repository should not carry.
    """
    source = Source.find(folder, target)
    refuse_few_images(source.teacher.test_images or len(final(source.teacher).labels), PERPLEXITY)
    new = [run for run in source.every if not is_current(source, run, target)]
    _refuse_orphans(source, target)
    print(f"{len(source.every)} runs in {folder}, {len(new)} of them to publish in {target}", flush=True)
    with staging.beside(target) as place:
        made = []
        for run in new:
            made.append(_made(source, run, place, target))
            print(f"{len(made)}/{len(new)} {run.path.name}: {size(made[-1].path) / 1e6:.2f} MB", flush=True)
        _refuse_large(made, target)
        for run in made:
            staging.install(run, target)
    return [PublishedRun(target / run.path.name) for run in made]
