"""What the explorer draws from: every curve, row distance and map of several studies, packed for the browser."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdnb import methods, profiles, runs
from kdnb.analysis import selection
from kdnb.analysis import spaces as feature_spaces
from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.publish import PERPLEXITY
from kdnb.analysis.selection import ChapterParameters, PaperParameters
from kdnb.analysis.students import PAPERS
from kdnb.analysis.study import Study
from kdnb.book.drawing import compact
from kdnb.figures import classes, origin, style
from kdnb.figures.correlation import norms
from kdnb.figures.mu_curves import over_epochs
from kdnb.measure.history import BYSTANDER
from kdnb.parameters import Names, Seed, checked
from kdnb.runs import Run

Packed = dict[str, Any]
POINTS = 400  # images on a map: enough to see groups, few enough to redraw while a slider moves
COLUMNS = ("loss", *over_epochs.MEASURES)  # of histories, that are packed
METHODS = ("kd", *(method for method in PAPERS if method != "kd"))  # the first is shown at first


@checked
class ExplorerParameters:
    """Of ``00_start``: the data sets that the explorer offers, and the students' seed."""

    profiles: Names = ("digits", "cifar100")  # the first is shown at first; of each its best evidence
    seed: Seed = 0  # of the students

    def studies(self) -> list[Study]:
        """The best evidence of each profile."""
        return PaperParameters(profiles=self.profiles, seed=self.seed).studies()


@dataclass(frozen=True)
class Explored:
    """The studies of an explorer, one a data set and weight decay, and what its view draws from (of :func:`data`)."""

    studies: Sequence[Study]
    content: Packed

    def last_epoch(self, choice: Mapping[str, Any]) -> str:
        """All that the history of the chosen student says of its last epoch, as a table; ``choice``: an explorer's."""
        run = chosen(self.studies, self.content, choice)
        if run is None:
            return "This method was not trained here."
        row = run.history.iloc[-1]
        return style.table(pd.DataFrame({run.path.name: row.index, "last epoch": [f"{value:.5g}" for value in row]}))


def load(chosen: ExplorerParameters) -> Explored:
    """Every study of the chosen data sets, the paper's weight decay first; FileNotFoundError where there are none."""
    found = list(chain.from_iterable(_studies(first, chosen) for first in chosen.studies()))
    return Explored(found, data(found))


def _studies(first: Study, chosen: ExplorerParameters) -> list[Study]:
    there = [run.spec for run in runs.find(first.folder, role="student", init_seed=chosen.seed)]
    decays = {spec.weight_decay for spec in there if spec.method in PAPERS}
    others = decays - {first.students[0].spec.weight_decay}
    profile = first.name if first.name in profiles.PROFILES else chosen.profiles[0]  # own data have their own name
    known = ChapterParameters(profile=profile, output_dir=str(first.folder), seed=chosen.seed)
    found = [first]
    for decay in sorted(others, reverse=True):
        with suppress(FileNotFoundError):  # its students are all of another alpha
            found.append(selection.load(replace(known, weight_decay=decay)))
    return found


def packed(values: ArrayLike) -> Packed:
    """Numbers as base64 of their single-precision bytes."""
    return {"f4": _text(np.asarray(values, "<f4"))}


def coarse(values: ArrayLike) -> Packed:
    """Numbers as 16 bits between the smallest and the largest of them: finer than any pixel."""
    given = np.asarray(values, float)
    low, high = float(given.min()), float(given.max())
    steps = np.rint((given - low) / ((high - low) or 1.0) * 65535)
    return {"u2": _text(steps.astype("<u2")), "low": low, "high": high}


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def data(shown: Sequence[Study]) -> Packed:
    """Everything the explorer needs: names to choose from, and one sweep a study."""
    sweeps = [_sweep(study) for study in shown]
    return {
        "sets": _unique(sweep["set"] for sweep in sweeps),
        "decays": _unique(sweep["decay"] for sweep in sweeps),
        "temperatures": sorted({float(t) for study in shown for t in study.kd}),
        "methods": [{"method": method, "name": methods.METHODS[method].label} for method in METHODS],
        "kinds": _kinds(),
        "sweeps": sweeps,
        "stills": _stills(shown[0]),
    }


def _kinds() -> list[Packed]:
    """What a reader can choose in mu's place, and the same to the bystander where it is tracked."""
    known = over_epochs.MEASURES
    return [
        {"column": column, "name": name, "bystander": other if (other := f"{BYSTANDER}{column}") in known else None}
        for column, name in known.items()
        if not column.startswith(BYSTANDER)
    ]


def _stills(study: Study) -> Packed:
    """For readers without scripts: the first study's curves of mu and its r against T, by the plot they stand for."""
    shown = {"mu": over_epochs.curves(study), "r": norms.by_temperature(study)}
    return {
        place: {"spec": compact(figure.update_layout(updatemenus=[], sliders=[], overwrite=True)), "alt": made.alt}
        for place, made in shown.items()
        for figure in made.figures
    }


def _unique(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def class_names(content: Mapping[str, Any]) -> list[str]:
    """Every class of ``content`` (of :func:`data`) that a reader can follow."""
    return _unique(chain.from_iterable(sweep["classes"] for sweep in content["sweeps"]))


def _sweep(study: Study) -> Packed:
    spec = study.students[0].spec
    maps, labels = _maps(study)
    count = len(last_weight(study.students[0]))
    groups = classes.groups(spec.dataset, np.arange(count))
    known = {k: (name, group.color) for group in groups for k, name in group.classes.items()}
    return {
        "set": study.folder.name,
        "decay": spec.weight_decay,
        "epochs": study.epochs,
        "drops": [drop for drop in spec.drops if drop < study.epochs],
        "made": origin.of(study.students, study.teacher),
        "caption": style.caption(study, f"weight decay {spec.weight_decay:g}", study.students),
        "classes": [known[k][0].split(" (")[0] for k in sorted(known)],
        "colors": [known[k][1] for k in sorted(known)],
        "labels": labels.tolist(),
        "reach": max((float(np.abs(points).max()) for _, points in maps.values()), default=1.0),
        "runs": [_run(study, run, maps.get(run.label)) for run in study.students],
    }


def _run(study: Study, run: Run, found: tuple[int, np.ndarray] | None) -> Packed:
    columns = [column for column in COLUMNS if column in run.history]
    return {
        "label": run.label,
        "method": run.spec.method,
        "temperature": run.spec.method_parameters.get("temperature") if run.spec.method == "kd" else None,
        "line": style.line(run, study.hottest),
        "curves": {column: packed(run.history[column]) for column in columns},
        "rows": study.teacher and coarse(run.row_distances(study.teacher)),
        "map": found and {"epoch": found[0], "points": coarse(found[1])},
    }


def _maps(study: Study) -> tuple[dict[str, tuple[int, np.ndarray]], np.ndarray]:
    """t-SNE maps at matched accuracy by label, each with its epoch, and the labels of their images."""
    spaces = {run.label: feature_spaces.space(run, "matched") for run in study.students}
    there = {label: space for label, space in spaces.items() if space is not None}
    if not there:
        return {}, np.empty(0, int)
    end = study.teacher and feature_spaces.space(study.teacher, "final")
    shown = {"teacher": end, **there} if end else there
    drawn = feature_spaces.maps(shown, next(iter(shown)), PERPLEXITY, POINTS)
    labels = next(iter(there.values())).labels[:POINTS]
    return {label: (space.epoch, drawn[label]) for label, space in there.items()}, labels


def chosen(shown: Sequence[Study], content: Mapping[str, Any], choice: Mapping[str, Any]) -> Run | None:
    """The student that an explorer of ``content`` has in front; None where the chosen method was not trained."""
    of_set = [study for study in shown if study.folder.name == content["sets"][choice["data_set"]]]
    decay = content["decays"][choice["decay"]]
    study = next((study for study in of_set if study.students[0].spec.weight_decay == decay), of_set[0])
    method = content["methods"][choice["method"]]["method"]
    if method == "kd":
        return study.nearest(content["temperatures"][choice["temperature"]])
    return next((run for run in study.students if run.spec.method == method), None)
