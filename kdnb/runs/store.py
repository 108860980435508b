"""The run store: one folder a run, self-describing, in open formats.

``spec.json`` is the run's identity (what was asked: compared, never overwritten); ``provenance.json`` is how it came
about (versions, hardware, times: recorded, never compared). ``history.parquet`` is written last: where it is, the run
is finished. A published run (:mod:`kdnb.analysis.publish`) is such a folder without what is large: ``published.json``
and ``map.safetensors`` stand for its outputs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kdnb import methods
from kdnb.checks import choice
from kdnb.files import read_tensors, write_atomically, write_json, write_tensors
from kdnb.measure.outputs import Outputs
from kdnb.profiles import unusual_drops


@dataclass(frozen=True)
class RunSpec:
    """Identity of a run: two runs with equal specs are the same experiment.

    ``teacher`` and ``bystander`` hold ``{"model": name, "checksum": sha256 of the weights}``.
    """

    role: Literal["teacher", "student"]
    dataset: str
    data_checksum: str
    model: str
    method: str
    method_parameters: dict[str, float]
    init_seed: int
    order_seed: int
    view_seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    nesterov: bool
    weight_decay: float
    drops: tuple[int, ...]  # the learning rate falls after each of these epochs
    drop_factor: float
    precision: str
    teacher: dict[str, str] | None
    bystander: dict[str, str] | None
    matched_on: str  # the history's column that decides when the matched snapshot is taken
    matched_accuracy: float  # the value it must reach
    clean_images: int
    teacher_outputs: str | None  # live: computed with each batch; None: a teacher's own run

    @property
    def name(self) -> str:
        """Folder name: method, its parameters where they vary in a study, weight decay, an unusual schedule, seed."""
        if self.role == "teacher":
            return teacher_name(self.init_seed)
        drops = unusual_drops(self.drops, self.epochs)
        return student_name(self.method, self.method_parameters, self.weight_decay, self.init_seed, drops)

    @property
    def label(self) -> str:
        """Name in figures: "teacher", "normal", "KD T=4", "DIST", "MSE"."""
        if self.role == "teacher":
            return "teacher"
        return methods.label(self.method, self.method_parameters)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; what ``spec.json`` holds."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_json`; raises ValueError when a field is missing or unknown."""
        names = {field.name for field in fields(cls)}
        if odd := names.symmetric_difference(content):
            raise ValueError(f"another version of kdnb made it ({', '.join(sorted(odd))}): move it away, train anew.")
        return cls(**{**content, "drops": tuple(content["drops"])})

    def lr_at(self, epoch: int) -> float:
        """Learning rate of ``epoch`` (counted from 1)."""
        return self.learning_rate * self.drop_factor ** sum(epoch > drop for drop in self.drops)


@dataclass(frozen=True)
class Snapshot:
    """A network's outputs on fixed images: features N x D, logits N x K, labels N, and the epoch they are from."""

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    epoch: int


@dataclass(frozen=True)
class Checkpoint:
    """State after a finished epoch: tensors by name, and the history so far."""

    tensors: dict[str, Tensor]
    history: list[dict[str, float]]


class Run:
    """One run's folder. Reading needs no torch device; writing is atomic, file by file."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def open(cls, folder: Path, spec: RunSpec) -> Self:
        """The run of ``spec`` under ``folder``, made if new; ValueError when another spec lives there."""
        run = cls(folder / spec.name)
        if not run._file("spec.json").exists():
            write_json(run._file("spec.json"), spec.as_json())
        found, asked = run.spec.as_json(), spec.as_json()
        if differing := [key for key in asked if asked[key] != found[key]]:
            details = "; ".join(f"{key}: there {found[key]!r}, asked {asked[key]!r}" for key in differing)
            raise ValueError(
                f"{run.path} holds results of another spec ({details}). Nothing was overwritten: "
                "choose another output_dir, or move that folder away."
            )
        return run

    def _file(self, name: str) -> Path:
        return self.path / name

    @cached_property
    def spec(self) -> RunSpec:
        """The run's identity."""
        try:
            return RunSpec.from_json(json.loads(self._file("spec.json").read_text()))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.path} holds no run (no spec.json); train one, or name its folder."
            ) from None
        except (json.JSONDecodeError, ValueError) as error:
            raise ValueError(f"{self._file('spec.json')} cannot be read: {error}") from error

    @property
    def label(self) -> str:
        """Name in figures."""
        return self.spec.label

    @property
    def finished(self) -> bool:
        """Whether all its epochs are trained and stored."""
        return self._file("history.parquet").exists()

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, hardware and times of each session that worked on the run."""
        file = self._file("provenance.json")
        content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"sessions": []}
        return content

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch; see :mod:`kdnb.measure.history` for the columns."""
        if not self.finished:
            raise FileNotFoundError(f"{self.path} is not finished; run its training again: it goes on by itself.")
        table = pd.read_parquet(self._file("history.parquet"))
        return table.astype(dict.fromkeys(table.select_dtypes("float32"), np.float64))  # as publications keep them

    def last(self, column: str) -> float:
        """A column's value in the last epoch; nan where the history lacks it."""
        return float(self.history[column].iloc[-1]) if column in self.history else np.nan

    def after(self, warm_up: float) -> pd.DataFrame:
        """The history without the first ``warm_up`` epochs."""
        return self.history[self.history["epoch"] > warm_up]

    @cached_property
    def published(self) -> dict[str, Any] | None:
        """What :mod:`kdnb.analysis.publish` tells of the outputs it left out; None for a run that has everything."""
        file = self._file("published.json")
        content: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
        return content

    @property
    def matched_epoch(self) -> int | None:
        """The first epoch that reached the matched accuracy; None if none did."""
        reached = self.history[self.spec.matched_on] >= self.spec.matched_accuracy
        return int(self.history["epoch"][reached].iloc[0]) if reached.any() else None

    def trace(self) -> tuple[np.ndarray, np.ndarray]:
        """The classifier after each of :attr:`trace_epochs`: weight E x K x D, bias E x K."""
        tensors, _ = read_tensors(self._file("classifier.safetensors"), "classifier trace")
        return tensors["weight"].float().numpy(), tensors["bias"].float().numpy()

    @property
    def trace_epochs(self) -> list[int]:
        """The epochs of :meth:`trace`: all of them, or the few of a published run."""
        return list(range(1, self.spec.epochs + 1)) if self.published is None else self.published["trace_epochs"]

    def snapshot(
        self, which: Literal["final", "matched"], images: Literal["test", "train"] = "test"
    ) -> Snapshot | None:
        """Outputs at the last epoch, or at the first that reached the matched accuracy (None if none did).

        ``images``: the test set, or the fixed unaugmented training images. FileNotFoundError for a published run.
        """
        file = self._file(f"features-{choice('snapshot', which, ['final', 'matched'])}.safetensors")
        if self.published is not None:
            raise FileNotFoundError(f"{self.path} was published without its outputs; what is known of them: geometry.")
        if not file.exists():
            return None
        tensors, metadata = read_tensors(file, "snapshot")
        features, logits, labels = (tensors[f"{images}_{name}"] for name in Outputs._fields)
        return Snapshot(
            features.float().numpy(), logits.float().numpy(), labels.numpy(), epoch=int(str(metadata["epoch"]))
        )

    def weights(self) -> dict[str, Tensor]:
        """The network's final state dict."""
        return read_tensors(self._file("model.safetensors"), "weights")[0]

    # -- writing -------------------------------------------------------------------------------------------------------

    def write_provenance(self, content: dict[str, Any]) -> None:
        """Record how the run comes about; never compared."""
        write_json(self._file("provenance.json"), content)

    def write_snapshot(self, which: str, test: Outputs, train: Outputs, epoch: int) -> None:
        """Keep outputs in half precision."""
        tensors: dict[str, Tensor] = {}
        for images, outputs in (("test", test), ("train", train)):
            half = outputs._replace(
                features=outputs.features.half(), logits=outputs.logits.half(), labels=outputs.labels.short()
            )
            tensors |= {f"{images}_{name}": tensor for name, tensor in half._asdict().items()}
        write_tensors(self._file(f"features-{which}.safetensors"), tensors, {"epoch": epoch})

    def write_trace(self, epoch: int, weight: Tensor, bias: Tensor) -> None:
        """Keep the classifier of one epoch; :meth:`finish` gathers them."""
        write_tensors(self._file(f"trace/{epoch:04d}.safetensors"), {"weight": weight, "bias": bias}, {})

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint."""
        columns = list(checkpoint.history[-1])
        rows = torch.tensor([[row[column] for column in columns] for row in checkpoint.history], dtype=torch.float64)
        tensors = {**checkpoint.tensors, "history": rows}
        write_tensors(self._file("checkpoint.safetensors"), tensors, {"columns": columns})

    def read_checkpoint(self) -> Checkpoint | None:
        """The state to go on from; None for a new run; ValueError when the file is damaged."""
        file = self._file("checkpoint.safetensors")
        if not file.exists():
            return None
        tensors, metadata = read_tensors(file, "checkpoint")
        columns: Any = metadata["columns"]
        history = [dict(zip(columns, row, strict=True)) for row in tensors.pop("history").tolist()]
        return Checkpoint(tensors, history)

    def finish(self, weights: dict[str, Tensor], history: Sequence[dict[str, float]]) -> None:
        """Store the result, then remove what only a resumption needs."""
        write_tensors(self._file("model.safetensors"), weights, {})
        pieces = [read_tensors(self._file(f"trace/{epoch:04d}.safetensors"))[0] for epoch in range(1, len(history) + 1)]
        gathered = {name: torch.stack([piece[name] for piece in pieces]) for name in ("weight", "bias")}
        write_tensors(self._file("classifier.safetensors"), gathered, {})
        table = pd.DataFrame(history).astype({"epoch": int})
        write_atomically(self._file("history.parquet"), lambda file: table.to_parquet(file, index=False))
        self.tidy()

    def tidy(self) -> None:
        """Remove checkpoint and loose trace of a finished run (a kill may have come between) and mark it finished."""
        self._file("checkpoint.safetensors").unlink(missing_ok=True)
        for piece in self.path.glob("trace/*"):
            piece.unlink()
        if self._file("trace").exists():
            self._file("trace").rmdir()
        self._file("finished").touch()


def teacher_name(seed: int) -> str:
    """Folder of the teacher of a seed."""
    return f"teacher-s{seed}"


def student_name(
    method: str, parameters: dict[str, float], weight_decay: float, seed: int, drops: Sequence[int] = ()
) -> str:
    """Folder of a student: its method, the parameters that studies vary, weight decay, unusual ``drops``, and seed."""
    short, told = {"temperature": "T", "alpha": "a"}, methods.varied(method, parameters)
    chosen = [f"{short[key]}{told.pop(key):g}" for key in short if key in told]
    unsquared = ["unsquared"] if told.pop("squared", 1.0) == 0 else []
    odd = [f"{key}{value:g}" for key, value in told.items()]
    schedule = ["drops" + ".".join(map(str, drops))] if drops else []
    return "-".join([method, *chosen, *unsquared, *odd, f"wd{weight_decay:g}", *schedule, f"s{seed}"])


def column_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column of a history; nan where the history lacks it."""
    return table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)


def load(path: Path | str) -> Run:
    """The run in folder ``path``; raises FileNotFoundError when there is none, ValueError when its spec is damaged."""
    run = Run(path)
    _ = run.spec
    return run


def find(root: Path | str, **wanted: object) -> list[Run]:
    """Finished runs under ``root`` whose spec has the ``wanted`` field values, by method, temperature, seed."""
    known = [field.name for field in fields(RunSpec)]
    for name in wanted:
        choice("run field", name, known)
    specs = sorted(Path(root).glob("*/spec.json"))
    every = [load(file.parent) for file in specs if (file.parent / "history.parquet").exists()]
    chosen = [run for run in every if all(getattr(run.spec, name) == value for name, value in wanted.items())]
    return sorted(chosen, key=_order)


def _order(run: Run) -> tuple[str, float, float, int]:
    parameters = run.spec.method_parameters
    return run.spec.method, parameters.get("temperature", 0.0), run.spec.weight_decay, run.spec.init_seed
