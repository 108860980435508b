"""A run store with made-up results, for tests of figures alone: what they draw must be what is stored."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.study import Study
from kdnb.figures import tsne
from kdnb.figures.exhibit import Exhibit
from kdnb.figures.mu_curves import over_epochs
from kdnb.files import write_tensors
from kdnb.measure.outputs import Outputs
from kdnb.profiles import scaled_drops
from kdnb.runs import Run, RunSpec
from kdnb.runs.weights import checksum

TEACHER = {"classifier.weight": torch.arange(12.0).reshape(3, 4)}
SPEC = RunSpec(
    role="student",
    dataset="digits",
    data_checksum="0",
    model="resnet8",
    method="normal",
    method_parameters={},
    init_seed=0,
    order_seed=0,
    view_seed=0,
    epochs=24,
    batch_size=64,
    learning_rate=0.05,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    drops=(15, 18, 21),
    drop_factor=0.1,
    precision="fp32",
    teacher={"model": "resnet20", "checksum": checksum(TEACHER)},
    bystander={"model": "resnet20", "checksum": "1"},
    matched_on="clean_accuracy",
    matched_accuracy=0.9,
    clean_images=10,
    teacher_outputs=None,
)
CURVES = [
    *("loss", "test_accuracy", "weight_norm", *over_epochs.MEASURES, *tsne.COSINES),
    *("clean_accuracy", "plug_in_accuracy", "plug_in_accuracy_matched", "bystander_plug_in_accuracy"),
    *("spread", "pull_ce", "pull_decay", "account_residual", "bystander_pull_ce", "bystander_pull_decay"),
]


def steps(made: Exhibit) -> tuple[list[go.Figure], list[str]]:
    """An exhibit's figures, and what its slider calls them."""
    return made.figures, made.labels


def kd(temperature: float, **changes: object) -> RunSpec:
    parameters = {"temperature": float(temperature), "alpha": 0.9}
    return replace(SPEC, method="kd", method_parameters=parameters, **changes)  # type: ignore[arg-type]


def lasting(spec: RunSpec, epochs: int) -> RunSpec:
    """``spec`` over another number of epochs, the field's schedule in proportion."""
    return replace(spec, epochs=epochs, drops=scaled_drops(epochs))


def history(epochs: int, seed: int, without: str = "$^") -> pd.DataFrame:
    """Positive random curves; the account is made to balance against raw mu."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({c: 1 + np.exp(-np.arange(epochs) / 9) + 0.1 * rng.random(epochs) for c in CURVES})
    table["test_accuracy"] = rng.integers(80, 100, epochs) / 100
    squares = np.concatenate([[9.0], table["mu_raw"] ** 2])
    table["pull_ce"] = np.diff(squares) - table["pull_decay"] - table["spread"]
    table.insert(0, "epoch", np.arange(1, epochs + 1))
    return table.drop(columns=[c for c in table if re.search(without, c)])


def outputs(seed: int, images: int = 60) -> Outputs:
    """Three classes whose centres lie apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % 3
    features = torch.randn(images, 8, generator=generator) + 4 * torch.eye(8)[labels]
    fields = {"features": features, "logits": features[:, :3], "labels": labels, "accuracy": 1.0, "loss": 0.0}
    return Outputs(**{name: fields[name] for name in Outputs._fields})


def write(folder: Path, spec: RunSpec, *, matched: bool = True, without: str = "$^", images: int = 60) -> Run:
    """A finished run with made-up results."""
    run = Run.open(folder, spec)
    number = sum(map(ord, spec.name))
    run.write_snapshot("final", outputs(number, images), outputs(1), spec.epochs)
    if matched:
        run.write_snapshot("matched", outputs(number + 1, images), outputs(1), 7)
    if spec.role == "teacher":
        write_tensors(run.path / "model.safetensors", TEACHER, {})
    history(spec.epochs, number, without).to_parquet(run.path / "history.parquet")
    return run


STUDENTS = [
    SPEC,
    *(kd(t) for t in (1, 4, 10)),
    replace(SPEC, method="dist", method_parameters={"temperature": 4.0}),
    replace(SPEC, method="mse", method_parameters={"alpha": 0.9}),
]
TEACHER_SPEC = replace(SPEC, role="teacher", model="resnet20", teacher=None, bystander=None)


def store(folder: Path, specs: Sequence[RunSpec] = STUDENTS, **options: object) -> Study:
    write(folder, replace(TEACHER_SPEC, epochs=specs[0].epochs))
    for spec in specs:
        write(folder, spec, **options)  # type: ignore[arg-type]
    return selection.load(ChapterParameters(output_dir=str(folder)))


def put(run: Run, **columns: object) -> None:
    """Columns in the place of the stored ones, for this object alone."""
    run.__dict__["history"] = run.history.assign(**columns)


def rounded(values: object) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values, float)]


def luminance(color: str) -> float:
    """WCAG relative luminance of rgb(r, g, b)."""
    channels = np.array([float(part) for part in re.findall(r"[\d.]+", color)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
