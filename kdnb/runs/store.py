"""The run store: one folder a run, self-describing, in open formats.

``spec.json`` is the run's identity (what was asked: compared, never overwritten); ``provenance.json`` is how it came
about (versions, hardware, times: recorded, never compared). ``history.parquet`` is written last: where it is, the run
is finished. A published run (:mod:`kdnb.analysis.publish`) is such a folder without what is large: ``published.json``
and ``map.safetensors`` stand for its outputs. :func:`kdnb.runs.run_in` alone decides which of
the two a folder holds.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from kdnb.checks import choice
from kdnb.files import damaged, halved, read_json, read_tensors, write_atomically, write_json, write_tensors
from kdnb.measure.outputs import Outputs
from kdnb.runs.contents import Checkpoint, Images, Snapshot, Which
from kdnb.runs.spec import RunSpec
from kdnb.runs.weights import checksum


class Run:
    """One run's folder. Reading needs no torch device; writing is atomic, file by file."""

    is_published: ClassVar[bool] = False

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def open(cls, folder: Path, spec: RunSpec) -> Self:
        """The run of ``spec`` under ``folder``, made if new; ValueError when results of another spec lie there."""
        run = cls(folder / spec.name)
        run.check(spec)
        run.begin(spec)
        return run

    def begin(self, spec: RunSpec) -> None:
        """Make the folder the run of ``spec``, whatever it was begun for, unless it holds results; then `check` it."""
        if not self.has_results:
            write_json(self._file("spec.json"), spec.as_json())
            self.__dict__.pop("spec", None)
        self.check(spec)
        self._file("failed").unlink(missing_ok=True)

    def check(self, spec: RunSpec) -> None:
        """Raise ValueError where the folder holds results of another spec."""
        if not self.has_results:
            return
        found, asked = self.spec.as_json(), spec.as_json()
        if differing := [key for key in asked if asked[key] != found[key]]:
            details = "; ".join(f"{key}: there {found[key]!r}, asked {asked[key]!r}" for key in differing)
            raise ValueError(
                f"{self.path} holds results of another spec ({details}). Nothing was overwritten: "
                "choose another output_dir, or move that folder away."
            )

    @property
    def has_results(self) -> bool:
        """Whether at least one epoch is finished and stored."""
        return self.finished or self._file("checkpoint.safetensors").exists()

    def _file(self, name: str) -> Path:
        return self.path / name

    @cached_property
    def spec(self) -> RunSpec:
        """The run's identity."""
        file = self._file("spec.json")
        try:
            return RunSpec.from_json(json.loads(file.read_text()))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.path} holds no run (no spec.json); train one, or name its folder."
            ) from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file} cannot be read: {error}. Move its folder away to train the run anew.") from error

    @property
    def label(self) -> str:
        """Name in figures."""
        return self.spec.label

    @property
    def finished(self) -> bool:
        """Whether all its epochs are trained and stored."""
        return self._file("history.parquet").exists()

    @property
    def failure(self) -> str | None:
        """What stopped the last session that worked on it, if an error did; gone once another one begins."""
        file = self._file("failed")
        return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else None

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, hardware and times of each session that worked on the run."""
        file = self._file("provenance.json")
        return {"sessions": []} | (read_json(file, "provenance") if file.exists() else {})

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch; see :mod:`kdnb.measure.history` for the columns."""
        if not self.finished:
            raise FileNotFoundError(f"{self.path} is not finished; run its training again: it goes on by itself.")
        try:
            with pq.ParquetFile(self._file("history.parquet")) as file:
                table = file.read()
            # Publications keep 32 bits; by pandas the conversion takes longer than reading does.
            wide = [one.with_type(pa.float64()) if one.type == pa.float32() else one for one in table.schema]
            history: pd.DataFrame = table.cast(pa.schema(wide)).to_pandas()
        except PermissionError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(self._file("history.parquet"), "history", error) from error
        return history

    def last(self, column: str) -> float:
        """A column's value in the last epoch; nan where the history lacks it."""
        return float(self.history[column].iloc[-1]) if column in self.history else np.nan

    def after(self, warm_up: float) -> pd.DataFrame:
        """The history without the first ``warm_up`` epochs."""
        first = int(np.searchsorted(self.history["epoch"], warm_up, side="right"))
        return self.history.iloc[first:]

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
        return list(range(1, self.spec.epochs + 1))

    def snapshot(self, which: Which, images: Images = "test") -> Snapshot | None:
        """Outputs at the last epoch, or at the first that reached the matched accuracy (None if none did).

        FileNotFoundError for a published run.
        """
        file = self._file(f"features-{choice('snapshot', which, get_args(Which))}.safetensors")
        if not file.exists():
            return None
        tensors, metadata = read_tensors(file, "snapshot")
        features, logits, labels = (tensors[f"{images}_{name}"] for name in Outputs._fields)
        return Snapshot(
            features.float().numpy(), logits.float().numpy(), labels.numpy(), epoch=int(str(metadata["epoch"]))
        )

    def class_means(self, which: Which) -> np.ndarray | None:
        """Mean feature of each class over the test images, K x D (rounded to fp16 in publications); None without them.

        Of a bystander nothing of the kind is published.
        """
        taken = self.snapshot(which)
        if taken is None:
            return None
        return np.stack([taken.features[taken.labels == k].mean(0) for k in np.unique(taken.labels)])

    def row_distances(self, teacher: "Run") -> np.ndarray:
        """``||w_t,k - w_s,k||`` after every epoch, E x K: the root of a row's sum of squares is raw mu."""
        taught = teacher.weights()["classifier.weight"].numpy()
        return np.asarray(np.linalg.norm(self.trace()[0] - taught, axis=2), np.float32)

    @property
    def test_images(self) -> int | None:
        """How many test images accuracies and measures are of; None where neither outputs nor a publication tell."""
        taken = self.snapshot("final")
        return None if taken is None else len(taken.labels)

    def weights(self) -> dict[str, Tensor]:
        """The network's final state dict."""
        return read_tensors(self._file("model.safetensors"), "weights")[0]

    @property
    def weights_checksum(self) -> str:
        """Of the weights as they were trained, by which students know a teacher: a publication has rounded them."""
        return checksum(self.weights())

    # -- writing -------------------------------------------------------------------------------------------------------

    def write_provenance(self, content: dict[str, Any]) -> None:
        """Record how the run comes about; never compared."""
        write_json(self._file("provenance.json"), content)

    def write_failure(self, error: BaseException) -> None:
        """Keep an error's first line for whoever looks at the study; what the error itself says comes first."""
        line = (str(error).splitlines() or [""])[0] or type(error).__name__
        with suppress(OSError):  # a full disk is an error of its own, and on its way already
            content = (line + "\n").encode(errors="backslashreplace")  # it may name a path that is no text
            write_atomically(self._file("failed"), lambda temporary: temporary.write_bytes(content))

    def write_snapshot(self, which: str, test: Outputs, train: Outputs, epoch: int) -> None:
        """Keep outputs, in half precision where that holds them."""
        tensors: dict[str, Tensor] = {}
        for images, outputs in (("test", test), ("train", train)):
            small = {"features": halved(outputs.features), "logits": halved(outputs.logits)}
            kept = outputs._replace(**small, labels=outputs.labels.short())
            tensors |= {f"{images}_{name}": tensor for name, tensor in kept._asdict().items()}
        write_tensors(self._file(f"features-{which}.safetensors"), tensors, {"epoch": epoch})

    def write_trace(self, epoch: int, weight: Tensor, bias: Tensor) -> None:
        """Keep the classifier of one epoch; :meth:`finish` gathers them."""
        write_tensors(self._file(f"trace/{epoch:04d}.safetensors"), {"weight": weight, "bias": bias}, {})

    def check_trace(self, epochs: int) -> None:
        """ValueError at once, not after the last epoch, where the classifier of one of the ``epochs`` finished is lost.

        All of them have one size; reading them would take minutes where they lie on a Drive.
        """
        there = {file.name: file.stat().st_size for file in self.path.glob("trace/*")}
        sizes = [there.get(f"{epoch:04d}.safetensors", 0) for epoch in range(1, epochs + 1)]
        if lost := [str(epoch) for epoch, size in enumerate(sizes, 1) if size != max(1, *sizes)]:
            raise ValueError(
                f"{self._file('trace')} has the classifier of {epochs - len(lost)} of {epochs} finished epochs (not of "
                f"{', '.join(lost)}), and without all the run cannot be finished. Wait where files are still uploaded, "
                f"put copies in their place, or move {self.path} away to train the run anew."
            )

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; where versions of kdnb that measured other columns wrote rows, nan is in between."""
        columns = list(dict.fromkeys(column for row in checkpoint.history for column in row))
        table = [[row.get(column, np.nan) for column in columns] for row in checkpoint.history]
        rows = torch.tensor(table, dtype=torch.float64)
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
        self.clear()

    @property
    def tidy(self) -> bool:
        """Whether it is finished, and nothing is left of its making."""
        return self.finished and self._file("finished").exists()

    def clear(self) -> None:
        """Remove what only its making needed from a finished run, and mark it finished; for whoever holds its lock.

        Checkpoint and loose trace, after a kill between two files; what was half written, after one in a file.
        """
        self._file("checkpoint.safetensors").unlink(missing_ok=True)
        for rest in self.path.glob(".*.tmp"):
            rest.unlink()
        for piece in self.path.glob("trace/*"):
            piece.unlink()
        if self._file("trace").exists():
            self._file("trace").rmdir()
        self._file("finished").touch()


def column_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column of a history; nan where the history lacks it."""
    return table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)
