"""T-SNE maps at matched accuracy (paper, Fig. 2, 4), measures in feature space, cosine of features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import maps
from kdnb.analysis.selection import MapParameters, Study
from kdnb.analysis.separation import Map
from kdnb.figures import classes, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run
from kdnb.runs.store import Which

FIG_2 = ("normal", "KD T=1", "KD T=4", "KD T=10", "teacher")
MEASURES = {
    "knn_accuracy": "kNN accuracy",
    "silhouette": "silhouette",
    "ratio": "between / within",
    "class_similarity": "cosine of class means",
    "between_norm": "between / feature norm",
    "within_norm": "within / feature norm",
}
MOMENTS: dict[Which, str] = {"matched": "matched accuracy", "final": "last epoch"}
COSINES = {
    "feature_cosine": ("same image", style.TEACHER, "solid"),
    "feature_cosine_shuffled": ("shuffled pairs", style.TEACHER, "dot"),
    "feature_cosine_centred": ("same image, centred", style.NORMAL, "solid"),
    "feature_cosine_centred_shuffled": ("shuffled pairs, centred", style.NORMAL, "dot"),
}


def missing_sentence(found: maps.Spaces) -> str:
    """Which students are compared, at which accuracy and epochs, and which are left out."""
    spec = found.study.students[0].spec
    epochs = {label: space.epoch for label, space in found.networks.items() if label != "teacher"}
    text = ""
    if epochs:
        early, late = min(epochs.values()), max(epochs.values())
        span = f"epoch {early}" if early == late else f"epochs {early} to {late}"
        text = (
            f"Students compared: {len(epochs)}, each at the first epoch in which `{spec.matched_on}` reached "
            f"{spec.matched_accuracy:.0%}: {span}."
        )
    if found.missing:
        text += f" Left out, since they never reached it: {style.joined(found.missing)}."
    if "teacher" not in found.networks:
        text += f" The teacher's run is not in this folder; maps start from that of {found.reference}."
    return text.strip()


@exhibit(
    "tsne-grid",
    "t-SNE maps of the same test images for normal training, KD at three temperatures and the teacher.",
)
def grid(found: maps.Spaces, drawn: Mapping[str, Map]) -> Exhibit:
    """Fig. 2: maps of normal training, KD at T = 1, 4, 10 and the teacher side by side, as far as they are there."""
    labels = [label for label in FIG_2 if label in drawn] or list(drawn)[:6]
    columns = min(3, len(labels))
    rows = -(-len(labels) // columns)
    fig = style.grid(rows, columns, labels, 110 + 220 * rows, horizontal_spacing=0.02, vertical_spacing=0.08)
    for place, label in enumerate(labels):
        for trace in _points(found, drawn, label, place == 0):
            fig.add_trace(trace, place // columns + 1, place % columns + 1)
    return Exhibit(_bare(found, fig, labels, {label: drawn[label] for label in labels}))


@exhibit(
    "tsne-steps",
    "t-SNE map of the same test images for one network at a time.",
    step="network",
)
def networks(found: maps.Spaces, drawn: Mapping[str, Map]) -> Exhibit:
    """Fig. 4: one map a network on the same axes: normal, KD by rising T, the other methods, the teacher."""
    figures = {label: style.grid(1, 1, height=520).add_traces(_points(found, drawn, label, True)) for label in drawn}
    return Exhibit({label: _bare(found, fig, [label], drawn) for label, fig in figures.items()})


@exhibit(
    "cifar-tsne",
    "t-SNE map of the same test images for one network at a time, coloured by groups of classes.",
    step="network",
)
def two_epochs(study: Study, chosen: MapParameters) -> Exhibit:
    """One map a network and epoch on the same axes: students at matched accuracy, then at their end, the teacher."""
    moments = [maps.spaces(study, chosen.images, which) for which in MOMENTS]
    drawn = [maps.maps(found, chosen) for found in moments]
    every = {(k, label): points for k, by_label in enumerate(drawn) for label, points in by_label.items()}
    figures: dict[str, go.Figure] = {}
    for found, by_label in zip(moments, drawn, strict=True):
        for label in by_label:
            fig = style.grid(1, 1, height=560).add_traces(_points(found, by_label, label, True))
            figures[f"{label}, epoch {found.networks[label].epoch}"] = _bare(found, fig, [label], every)
    last = next((name for name in figures if name.startswith("teacher")), None)
    ordered = sorted(figures, key=lambda name: name == last)  # stable: the teacher moves to the end
    return Exhibit({name: figures[name] for name in ordered})


def _points(found: maps.Spaces, drawn: Mapping[str, Map], label: str, legend: bool) -> list[go.Scatter]:
    """One trace a class or group of classes, so that a click on the legend shows or hides it everywhere."""
    points = drawn[label]
    labels = found.networks[label].labels[: len(points)]
    groups = classes.groups(found.study.students[0].spec.dataset, labels)
    traces = []
    for group in groups:
        mine, several = np.isin(labels, list(group.classes)), len(group.classes) > 1
        trace = go.Scatter(
            x=style.significant(points[mine, 0], 3),
            y=style.significant(points[mine, 1], 3),
            name=group.name,
            legendgroup=group.name,
            showlegend=legend and len(groups) <= len(style.CLASSES),
            mode="markers",
            marker={"size": 5 if len(points) <= 600 else 3.5, "color": group.color, "opacity": 0.8},
            text=[group.classes[k] for k in labels[mine]] if several else None,
            hovertemplate=f"{'%{text}' if several else group.name}<extra>{label}</extra>",
        )
        traces.append(trace)
    return traces


def _bare(found: maps.Spaces, fig: go.Figure, labels: Sequence[str], drawn: Mapping[Any, Map]) -> go.Figure:
    """Bare axes and a caption; one scale for all of ``drawn``: a spread-out map is to look spread out."""
    style.map_axes(fig, 1.05 * max(float(np.abs(points).max()) for points in drawn.values()))
    epochs = ", ".join(f"{label}: epoch {found.networks[label].epoch}" for label in labels)
    count = len(next(iter(drawn.values())))
    teacher = [found.study.teacher] if found.study.teacher else []
    shown = [run for run in found.study.students if run.label in labels] or teacher
    fig.update_layout(legend={"itemsizing": "constant"}, uirevision="kept")  # what is hidden stays so on the next step
    return style.captioned(fig, found.study, f"{count} {found.images} images · {epochs}", shown)


@exhibit(
    "feature-measures",
    "Six measures of how classes separate in feature space against T, other networks as lines.",
)
def measures(found: maps.Spaces, table: pd.DataFrame) -> Exhibit:
    """``table`` of `maps.measured` against T in six panels, the other networks across."""
    study = found.study
    fig = style.grid(
        3, 2, list(MEASURES.values()), 680, shared_xaxes=True, vertical_spacing=0.09, horizontal_spacing=0.19
    )
    across = {run.label: style.line(run, study.hottest) for run in study.others}
    across["teacher"] = {"color": style.TEACHER, "dash": "longdash", "width": 2}
    by_t = {t: run.label for t, run in study.kd.items() if run.label in table.index}
    low, high = style.reach(study)
    for place, (column, name) in enumerate(MEASURES.items()):
        more = {"showlegend": place == 0}
        where = {"row": place // 2 + 1, "col": place % 2 + 1}
        marker = {"size": 8, "color": [style.temperature_color(t, study.hottest) for t in by_t]}
        trace = go.Scatter(
            x=list(by_t), y=style.significant(table[column].loc[list(by_t.values())].to_numpy()), name="KD", **more
        )
        trace.update(mode="lines+markers", marker=marker, line={"color": style.QUIET}, legendgroup="KD")
        fig.add_trace(trace.update(hovertemplate=f"T = %{{x}}<br>{name}: %{{y:.4g}}<extra></extra>"), **where)
        for label in [label for label in across if label in table.index]:
            y = style.significant([table[column][label]]) * 2
            level = go.Scatter(x=[low, high], y=y, name=label, mode="lines", line=across[label], **more)
            hover = f"{label}<br>{name}: %{{y:.4g}}<extra></extra>"
            fig.add_trace(level.update(legendgroup=label, hovertemplate=hover), **where)
    fig.update_xaxes(range=[low, high])
    fig.update_xaxes(title_text="temperature T", row=3)
    shown = [run for run in study.students if run.label in table.index] or list(study.students)
    return Exhibit(
        style.captioned(fig, study, f"{MOMENTS[found.which]}, all {found.images} images", shown),
        measures_sentence(table),
        table=as_html(table),
    )


def as_html(table: pd.DataFrame) -> str:
    """`maps.measured` as a table to read."""
    columns = {"epoch": "{:.0f}".format, **dict.fromkeys(MEASURES, "{:.3f}".format)}
    text = {MEASURES.get(column, column): table[column].map(show) for column, show in columns.items()}
    return style.table(pd.DataFrame({"network": table.index, **text}))


def measures_sentence(table: pd.DataFrame) -> str:
    """The paper's comparison in numbers: KD beside normal training, and where the classes lie farthest apart."""
    kd = table[table.index.str.startswith("KD T=")]
    if kd.empty:
        return "No KD student has a matched snapshot; there is nothing to compare temperatures with."
    far = str(kd["between_norm"].idxmax()).removeprefix("KD T=")
    tight = str(kd["within_norm"].idxmin()).removeprefix("KD T=")
    text = (
        f"Beside the length of the features, classes lie farthest apart at T = {far} and are tightest at T = {tight}."
    )
    if "normal" in table.index:
        better = int((kd["ratio"] > table.loc["normal", "ratio"]).sum())
        text = f"{better} of {len(kd)} KD students separate the classes better (between / within) than normal. {text}"
    return f"{text} One seed, one early epoch of each: differences of this size are not yet evidence."


@exhibit(
    "feature-cosine",
    "Mean cosine of a student's features with the teacher's over the epochs, beside shuffled pairs.",
    step="student",
)
def cosine(study: Study) -> Exhibit:
    """Fig. 5, one figure a run, normal training first: mean cosine of test features with the teacher's over all epochs.

    Beside it the same for shuffled pairs, and both after the mean feature is taken out.
    """
    return Exhibit({run.label: _cosine(study, run) for run in study.students}, cosine_sentence(study))


def _cosine(study: Study, run: Run) -> go.Figure:
    fig = style.grid(1, 1, height=440)
    for column, (name, color, dash) in COSINES.items():
        fig.add_trace(style.curve(run.history, column, name, {"color": color, "dash": dash, "width": 2}))
    style.mark_drops(fig, run)
    fig.update_xaxes(title_text="epoch")
    fig.update_yaxes(title_text="mean cosine with the teacher", range=[-0.25, 1.02])
    return style.captioned(fig, study, f"{run.label}, all {run.spec.epochs} epochs", [run])


def cosine_sentence(study: Study) -> str:
    """How far the cosine rises in normal training, and how far for pairs that have nothing to do with each other."""
    run = study.get("normal") or study.students[0]
    table = run.history
    if "feature_cosine" not in table:
        return "These runs were made without the cosine of features."
    moves = {name: (float(table[c].iloc[0]), float(table[c].iloc[-1])) for c, (name, _, _) in COSINES.items()}
    parts = [f"{name} {start:z.2f} → {end:z.2f}" for name, (start, end) in moves.items()]
    return f"From the first epoch to the last of **{run.label}**, the mean cosine goes: {style.joined(parts)}."
