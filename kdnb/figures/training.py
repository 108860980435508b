"""The data and its views, how teacher and students were trained, and what came out."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from PIL import Image
from plotly.subplots import make_subplots

from kdnb.analysis import accounts
from kdnb.data import Dataset, Views
from kdnb.figures import origin
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.style import COLORWAY
from kdnb.runs import Run

INK = "rgba(128,128,128,0.7)"
SCALE = 8  # a pixel of the pictures below, in pixels of the screen, at least


@exhibit(
    "views",
    "One training image a class, at its outermost and middle crops.",
    step="class",
)
def views(dataset: Dataset) -> Exhibit:
    """The first training image of each class, of ten at most, under its outermost and middle crops."""
    classes = range(min(10, dataset.num_classes))
    return Exhibit({dataset.class_names[label]: _view_grid(dataset, label) for label in classes})


def _view_grid(dataset: Dataset, label: int) -> go.Figure:
    """The first training image of class ``label`` under its outermost and middle crops, each mirrored if views are."""
    index = int((dataset.train.labels == label).nonzero()[0, 0])
    views = Views(dataset.train, dataset, "cpu")
    chosen = _outer_views(dataset)
    pictures = views(torch.full((chosen.numel(),), index), chosen.flatten())
    mean, std = (torch.tensor(s).view(-1, 1, 1) for s in (dataset.mean, dataset.std))
    pixels = ((pictures * std + mean) * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    fig = go.Figure(go.Image(source=_png(_tiled(pixels, *chosen.shape)), hoverinfo="skip"))
    fig.update_xaxes(visible=False).update_yaxes(visible=False)
    origins = {"of": [dataset.name], "checksum of the data": [dataset.checksum[:10]]}
    return fig.update_layout(height=300, margin={"l": 0, "r": 0, "t": 8, "b": 8}, meta=origins)


def _outer_views(dataset: Dataset) -> torch.Tensor:
    side, flips = 2 * dataset.padding + 1, 1 + dataset.flip
    offsets = sorted({0, dataset.padding, 2 * dataset.padding})
    rows = [[(dy * side + dx) * flips + flip for flip in range(flips) for dx in offsets] for dy in offsets]
    return torch.tensor(rows)


def _tiled(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """N x S x S x C pictures as one, with a grey line between them."""
    framed = np.pad(pixels, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=128)
    _, side, _, channels = framed.shape
    grid = framed.reshape(rows, columns, side, side, channels).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * side, columns * side, channels)[:-1, :-1]


def _png(picture: np.ndarray) -> str:
    image = Image.fromarray(picture.repeat(3, 2) if picture.shape[2] == 1 else picture)
    size = image.width * SCALE, image.height * SCALE
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@exhibit("teacher-curves", "Training and test loss, training and test accuracy of the teacher over the epochs.")
def teacher_curves(run: Run, dataset: Dataset) -> Exhibit:
    """Loss and accuracy of the teacher."""
    return Exhibit(_curves(run), teacher_sentence(run, dataset))


@exhibit("student-curves", "Loss terms and accuracies of one student over the epochs.", step="student")
def student_curves(runs: Sequence[Run]) -> Exhibit:
    """Loss and accuracy of each student."""
    return Exhibit({f"{run.label}, seed {run.spec.init_seed}": _curves(run) for run in runs})


def _curves(run: Run) -> go.Figure:
    """Loss and accuracy over the epochs of one run; dotted lines where the learning rate falls."""
    history = run.history
    fig = make_subplots(1, 2, subplot_titles=["loss", "accuracy"], horizontal_spacing=0.12)
    terms = [str(name) for name in history if str(name).startswith("loss_")]
    lines = [(1, "loss", "training loss", COLORWAY[0]), (1, "test_loss", "cross-entropy on the test set", COLORWAY[1])]
    if len(terms) > 1:
        lines += [(1, name, f"of which {name[5:]}", color) for name, color in zip(terms, COLORWAY[3:], strict=False)]
    lines += [(2, f"{name}_accuracy", f"{text} accuracy", color) for name, text, color in _ACCURACIES]
    for column, name, text, color in lines:
        trace = go.Scatter(x=history["epoch"], y=history[name].round(5), name=text, line={"color": color, "width": 1.5})
        fig.add_trace(trace, row=1, col=column)
    for drop in run.spec.drops:
        fig.add_vline(x=drop + 0.5, line={"color": INK, "dash": "dot", "width": 1})
    fig.update_xaxes(title="epoch").update_yaxes(type="log", col=1).update_yaxes(tickformat=".0%", col=2)
    return origin.mark(fig, [run]).update_layout(height=420, legend={"orientation": "h", "y": -0.25})


_ACCURACIES = [
    ("train", "training (augmented)", COLORWAY[0]),
    ("clean", "training (clean)", COLORWAY[2]),
    ("test", "test", COLORWAY[1]),
]


@exhibit(
    "class-similarity",
    "Cosine similarity of the classifier's class rows, from the first epoch to the last.",
    step="epoch",
)
def class_similarity(run: Run, class_names: Sequence[str]) -> Exhibit:
    """Cosines of the classifier's rows after a dozen epochs."""
    return Exhibit({f"{epoch}": _class_similarity(run, epoch, class_names) for epoch in shown_epochs(run)})


def _class_similarity(run: Run, epoch: int, class_names: Sequence[str]) -> go.Figure:
    """Cosine of every two class rows of the classifier after ``epoch``: towards collapse all become -1/(K-1)."""
    weight = run.trace()[0][run.trace_epochs.index(epoch)]
    centred = weight - weight.mean(0)
    rows = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    shown = [html.escape(name, quote=False) for name in class_names]  # a folder's name is text, Plotly draws HTML
    fig = go.Figure(
        go.Heatmap(
            z=np.round(rows @ rows.T, 3).astype(np.float32),
            x=shown,
            y=shown,
            zmin=-1,
            zmax=1,
            colorscale="RdBu",
            reversescale=True,
            colorbar={"title": "cosine"},
            hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        )
    )
    fig.update_xaxes(type="category", constrain="domain", showgrid=False)
    fig.update_yaxes(autorange="reversed", scaleanchor="x", type="category", constrain="domain", showgrid=False)
    return origin.mark(fig, [run]).update_layout(height=430)


def shown_epochs(run: Run, count: int = 13) -> list[int]:
    """At most ``count`` of the epochs whose classifier is kept, evenly spread from the first to the last."""
    kept = run.trace_epochs
    return [kept[place] for place in sorted({int(place) for place in np.linspace(0, len(kept) - 1, count).round()})]


def results(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a student at the last epoch; the best epoch is shown as such, never as the result."""
    rows = []
    for run in runs:
        last = run.history.iloc[-1]
        row: dict[str, object] = {
            "student": run.label,
            "test, last epoch (%)": round(100 * last["test_accuracy"], 2),
            "best epoch (%)": round(100 * run.history["test_accuracy"].max(), 2),
            "matched at": run.matched_epoch or "never",
        }
        rows.append(row | {name: round(last[column], 2) for name, column in _NORMS.items() if column in last})
    return pd.DataFrame(rows).set_index("student")


_NORMS = {
    "‖W‖": "weight_norm",
    "μ": "mu_raw",
    "μ matched": "mu_matched",
    "μ rotated": "mu_rotated",
    "μ, bystander": "bystander_mu_raw",
}


def teacher_sentence(run: Run, dataset: Dataset) -> str:
    """What was trained on what, and how well it does, in numbers read from the run."""
    last, spec = run.history.iloc[-1], run.spec
    return (
        f"**{spec.model}** on {spec.dataset}: {len(dataset.train.labels)} training and {len(dataset.test.labels)} test "
        f"images, {dataset.num_classes} classes, {Views(dataset.train, dataset, 'cpu').count} views of each training "
        f"image. After {spec.epochs} epochs (seed {spec.init_seed}) it is right on {100 * last['test_accuracy']:.2f} % "
        f"of the test images and on {100 * last['clean_accuracy']:.2f} % of {spec.clean_images} training images "
        f"shown without augmentation. ‖W‖ = {last['weight_norm']:.2f}; neural collapse NC1 = {last['nc1']:.3g}."
    )


def students_sentence(runs: Sequence[Run]) -> str:
    """How many students, and how exactly the account of mu balances."""
    error, label, epoch = accounts.imbalance(runs)
    epochs = sum(len(run.history) for run in runs)
    return (
        f"{len(runs)} students, {epochs} epochs in all. The account of μ balances on every one of them: the largest "
        f"imbalance is {error:.1e} of μ<sup>2</sup> ({label}, epoch {epoch})."
    )


def provenance_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Where, when and with what the runs were made: one row a session; two jobs may start in the same second."""
    sessions: dict[tuple[str, ...], tuple[dict[str, Any], list[str]]] = {}
    for run in runs:
        for session in run.provenance["sessions"]:
            key = (session["started"], *session["group"])
            sessions.setdefault(key, (session, []))[1].append(run.label)
    rows = [
        {
            "started": session["started"][:19].replace("T", " "),
            "ended": session.get("ended", "killed")[:19].replace("T", " "),
            "epochs": f"{session['first_epoch']} to {session.get('last_epoch', '?')}",
            "runs": ", ".join(labels),
            "hardware": origin.hardware(session),
            "torch": session["versions"]["torch"],
            "commit": origin.commit(session),
        }
        for session, labels in sessions.values()
    ]
    return pd.DataFrame(rows).set_index("started")
