"""A made-up study of two seeds, whose networks differ, and the same with comparisons beside it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from made_up import SPEC, STUDENTS, TEACHER_SPEC, write

from kdnb.analysis import selection, separation
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.files import write_tensors
from kdnb.runs import Run, RunSpec


def with_weights(folder: Path, spec: RunSpec) -> Run:
    """A run of :mod:`made_up` and weights that no other run has."""
    run = write(folder, spec)
    weight = torch.full((3, 8), float(sum(map(ord, spec.name))))
    write_tensors(run.path / "model.safetensors", {"classifier.weight": weight}, {})
    write_tensors(run.path / "classifier.safetensors", {"weight": weight[None], "bias": weight[None, :, 0]}, {})
    return run


def make(folder: Path) -> Study:
    """Two seeds of each student, the second without DIST."""
    write(folder, TEACHER_SPEC)
    for seed, specs in ((0, STUDENTS), (1, STUDENTS[:-2])):
        for spec in specs:
            with_weights(folder, replace(spec, init_seed=seed))
    return selection.load(ChapterParameters(output_dir=str(folder)))


def compare(study: Study) -> Study:
    """The same, with comparisons beside it."""
    folder = study.folder / "comparisons"
    rng = np.random.default_rng(0)
    gaps = {"1": [1, 2, 3], "pixels": [3, 2, 1], "untrained-resnet8-s0": [1, 3, 2], "untrained-resnet8-s1": [1, 2, 3]}
    tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in gaps.items()}
    write_tensors(folder / "classes.safetensors", tensors, {})
    _stitching(study).to_parquet(folder / "stitching.parquet")
    spaces = {name: rng.normal(size=(60, 8)) + 4 * np.eye(8)[np.arange(60) % 3] for name in ("normal", "teacher")}
    maps = {"labels": torch.arange(60).short() % 3, "images": torch.arange(60).int()}
    for place, (name, x) in enumerate(spaces.items()):
        maps[f"{name}/neighbours"] = torch.from_numpy(separation.nearest(x)).short()
        maps[f"{name}/means"] = torch.from_numpy(np.array([x[k::3].mean(0) for k in range(3)])).half()
        for start in ("teacher", "random 0", "random 1"):
            drawn = x[:, :2] if start != "random 1" else rng.normal(size=(60, 2))
            maps[f"{name}/5/{start}"] = torch.from_numpy(drawn + place).half()
    runs = {"normal": SPEC.name, "teacher": TEACHER_SPEC.name}
    told = {"networks": {name: {"run": run, "epoch": 7} for name, run in runs.items()}, "perplexities": [5]}
    write_tensors(folder / "maps.safetensors", maps, told)
    return study


def _stitching(study: Study) -> pd.DataFrame:
    common = {
        "study": "x",
        "name": "x",
        "model": "resnet8",
        "accuracy": 0.9,
        "teacher": "x",
        "teacher_model": "resnet20",
    }
    rows = []
    for place, run in enumerate(study.every):
        about = {"kind": "student", "label": run.label, "seed": run.spec.init_seed, "weights": run.weights_checksum}
        for relation, linear in (("own", 0.8 + place / 100), ("alike", 0.7)):
            rows.append(common | about | {"relation": relation, "raw": 0.1, "matched": 0.5, "linear": linear})
    floor = {"label": "untrained", "seed": 0, "weights": "", "relation": "other", "raw": np.nan, "matched": np.nan}
    for kind, model, teacher, linear in (
        ("untrained", "resnet8", "resnet20", 0.2),
        ("untrained", "resnet8x4", "resnet20", 0.9),
        ("untrained", "resnet8", "resnet14x4", 0.9),
        ("pixels", "", "resnet20", 0.3),
    ):
        rows.append(common | floor | {"kind": kind, "model": model, "teacher_model": teacher, "linear": linear})
    strange = {"kind": "student", "label": "normal", "seed": 0, "weights": "of another study", "relation": "own"}
    rows.append(common | strange | {"raw": 0.0, "matched": 0.0, "linear": 0.0})
    return pd.DataFrame(rows)


def means_of(run: Run) -> np.ndarray:
    taken = run.snapshot("final")
    assert taken is not None
    return np.array([taken.features[taken.labels == k].mean(0) for k in range(3)])
