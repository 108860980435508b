"""T-SNE maps at matched accuracy (paper, Fig. 2, 4), measures in feature space, cosine of features."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import maps, spaces, stats, words
from kdnb.analysis.separation import Map
from kdnb.analysis.study import Study
from kdnb.claims.thresholds import NEAR_PEAK, ORDERED
from kdnb.figures import claim_words, classes, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs.contents import Which

COLUMNS = 5  # of the contact sheet
MEASURES = {
    "knn_accuracy": "kNN accuracy",
    "silhouette": "silhouette",
    "ratio": "between / within",
    "class_similarity": "cosine of class means",
    "between_norm": "between / feature norm",
    "within_norm": "within / feature norm",
}
AT: dict[Which, str] = {"matched": "at matched accuracy", "final": "at the last epoch, not at equal accuracy"}
MOMENTS: dict[Which, str] = {"matched": "matched accuracy", "final": "last epoch"}
COSINES = {
    "feature_cosine": ("same image", style.TEACHER, "solid"),
    "feature_cosine_shuffled": ("shuffled pairs", style.TEACHER, "dot"),
    "feature_cosine_centred": ("same image, centred", style.NORMAL, "solid"),
    "feature_cosine_centred_shuffled": ("shuffled pairs, centred", style.NORMAL, "dot"),
}


def compared(found: maps.Spaces) -> str:
    """Which moment the maps are of, over which epochs, and who is left out."""
    spec = found.study.students[0].spec
    epochs = [space.epoch for label, space in found.networks.items() if label != "teacher"]
    if not epochs:
        return "No student has a snapshot."
    early, late = min(epochs), max(epochs)
    when = f"epoch {early}" if early == late else f"epochs {early} to {late}"
    rule = "at the last epoch"
    if found.which == "matched":
        rule = f"at the first epoch in which `{spec.matched_on}` reached {spec.matched_accuracy:.0%}"
    text = f"{words.counted(len(epochs), 'student')} {rule} ({when} of {spec.epochs})."
    if found.missing:
        text += f" Left out, since they never reached it: {style.joined(found.missing)}."
    if "teacher" not in found.networks:
        text += f" The teacher's run is not in this folder; maps start from that of {found.reference}."
    return text


@exhibit(
    "tsne-row-{of}",
    "Five t-SNE maps of the same test images in a row: normal training, KD at three temperatures, the teacher.",
)
def row(found: maps.Spaces, drawn: Mapping[str, Map]) -> Exhibit:
    """Fig. 2: normal training, KD at T = 1, 4, 10 or the nearest and the teacher in a row, as far as they are there."""
    normal = found.study.get("normal")
    wanted = [run.label for run in (*([normal] if normal else []), *found.study.picked) if run.label in drawn]
    labels = [*wanted, *(["teacher"] if "teacher" in drawn else [])] if wanted else list(drawn)[:5]
    fig = _sheet(found, drawn, labels, len(labels), 300)
    return Exhibit(fig, compared(found), answer=separated(found), of=found.study.name)


@exhibit("tsne-sheet-{of}", "A contact sheet of t-SNE maps of the same test images, one for every network.")
def sheet(found: maps.Spaces, drawn: Mapping[str, Map]) -> Exhibit:
    """Fig. 4: all maps on one scale: normal, KD by rising T, the other methods, the teacher."""
    rows = -(-len(drawn) // COLUMNS)
    fig = _sheet(found, drawn, list(drawn), COLUMNS, 80 + 175 * rows)
    return Exhibit(fig, answer=similarity(found), of=found.study.name)


def _sheet(found: maps.Spaces, drawn: Mapping[str, Map], labels: Sequence[str], columns: int, height: int) -> go.Figure:
    rows = -(-len(labels) // columns)
    titles = [label.removeprefix("KD ") for label in labels]
    fig = style.grid(rows, columns, titles, height, horizontal_spacing=0.01, vertical_spacing=0.15 / rows)
    for place, label in enumerate(labels):
        for trace in _points(found, drawn, label, place == 0):
            fig.add_trace(trace, place // columns + 1, place % columns + 1)
    # One scale for all: a spread-out map is to look spread out.
    style.map_axes(fig, 1.05 * max(float(np.abs(drawn[label]).max()) for label in labels))
    legend = {"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "itemsizing": "constant"}
    fig.update_layout(legend=legend, margin_l=8, margin_r=8)
    fig.update_layout(uirevision="kept")  # what is hidden stays so under another study
    shown = [run for run in found.study.students if run.label in labels] or list(filter(None, [found.study.teacher]))
    what = f"{len(drawn[labels[0]])} {found.images} images · {MOMENTS[found.which]}"
    return style.captioned(fig, found.study, what, shown)


def separated(found: maps.Spaces) -> str:
    """At how many temperatures KD separates the classes better than normal training of the same seed, in every seed."""
    normal = _ratios(found, "normal")
    every = [_ratios(found, run.label) for run in found.study.kd.values()]
    beyond = [[ratio > normal[seed] for seed, ratio in one.items() if seed in normal] for one in every]
    known = [seeds for seeds in beyond if seeds]
    if not known:
        return "**Whether KD separates the classes better cannot be told: KD or normal training is not on the maps.**"
    better = sum(map(all, known))
    so = "Yes" if better == len(known) else "In part" if any(map(any, known)) else "No"
    return (
        f"**{so}: between / within is above normal training's in every seed at {better} of "
        f"{words.counted(len(known), 'temperature')} ({words.span([*map(len, known)], 'seed')}; {AT[found.which]}; at "
        "one training accuracy: chapter 10).**"
    )


def _ratios(found: maps.Spaces, label: str) -> dict[int, float]:
    """Between / within of each seed of ``label`` that has a space."""
    group = found.study.groups.get(label, [])
    each = {run.spec.init_seed: spaces.space(run, found.which, found.images) for run in group}
    return {seed: space.separation.ratio for seed, space in each.items() if space}


def similarity(found: maps.Spaces) -> str:
    """Whether classes come nearer in angle as T rises, and at which T they lie farthest apart."""
    table, kd = maps.measured(found), found.study.kd
    by_t = {t: run.label for t, run in kd.items() if run.label in table.index}
    if len(by_t) < 2:
        return "**Whether the picture changes with T cannot be told: fewer than two temperatures are on the maps.**"
    there = table.loc[list(by_t.values())]
    rank = stats.rank_correlation(by_t, there["class_similarity"])
    far = list(by_t)[int(there["between_norm"].argmax())]
    as_told = (rank >= ORDERED, NEAR_PEAK[0] <= far <= NEAR_PEAK[1])
    so = "As" if all(as_told) else "In part as" if any(as_told) else "Not as"
    return (
        f"**{so} the paper says: the cosine between class means ranks with T at {words.number(rank, '{:+.2f}')} (the "
        f"paper: it rises), classes lie farthest apart at T = {far:g} (the paper: 4; seed {found.study.seed}, "
        f"{MOMENTS[found.which]}).**"
    )


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


@exhibit(
    "feature-measures-{of}",
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
        if by_t:
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
        answer=separated_best(found, table),
        of=study.name,
    )


def separated_best(found: maps.Spaces, table: pd.DataFrame) -> str:
    """Where the classes lie farthest apart and are tightest, in units of the features' length."""
    kd = table[table.index.str.startswith("KD T=")]
    if len(kd) < 2:
        return "**Nothing can be told of T: fewer than two KD students are compared here.**"
    far, tight = (
        str(place).removeprefix("KD T=").split()[0]  # behind it: alpha, squared
        for place in (kd["between_norm"].idxmax(), kd["within_norm"].idxmin())
    )
    return (
        f"**At T = {far}, in units of the features' length; they are tightest at T = {tight} (seed "
        f"{found.study.seed}).**"
    )


@exhibit(
    "feature-cosine-{of}",
    "Mean cosine of a normally trained student's features with the teacher's over the epochs, beside shuffled pairs.",
)
def cosine(study: Study) -> Exhibit:
    """Fig. 5, of normal training: mean cosine of test features with the teacher's over all epochs, a thin line a seed.

    Beside it the same for shuffled pairs, and both after the mean feature is taken out.
    """
    run = study.get("normal") or study.students[0]
    group = study.groups[run.label]
    fig = style.grid(1, 1, height=440)
    for column, (name, color, dash) in COSINES.items():
        for place, one in enumerate(group):
            look = {"color": color, "dash": dash, "width": 2 if place == 0 else 1}
            own = name if place == 0 else f"{name}, seed {one.spec.init_seed}"  # the first one stands in the legend
            trace = style.curve(one.history, column, own, look, legendgroup=name, showlegend=place == 0)
            fig.add_trace(trace.update(opacity=1 if place == 0 else 0.4))
    style.mark_drops(fig, run)
    fig.update_xaxes(title_text="epoch")
    fig.update_yaxes(title_text="mean cosine with the teacher", range=[-0.25, 1.02])
    fig.update_layout(legend={"orientation": "h", "y": -0.18, "yanchor": "top", "x": 0})
    what = f"{run.label}, all {words.counted(run.spec.epochs, 'epoch')}"
    return Exhibit(style.captioned(fig, study, what, group), answer=cosine_sentence(study), of=study.name)


def cosine_sentence(study: Study) -> str:
    """Whether the cosine rises in normal training, and as far for pairs that have nothing to do with each other."""
    run = study.get("normal") or study.students[0]
    group = study.groups[run.label]
    if not all(set(COSINES) <= set(one.history) for one in group):
        return "**Whether features come nearer cannot be told: these runs were made without the cosine of features.**"
    ends = {
        column: [float(np.mean([one.history[column].iloc[place] for one in group])) for place in (0, -1)]
        for column in COSINES
    }
    whose = "normal training" if run.spec.method == "normal" else run.label
    rise, other, *_ = (end - start for start, end in ends.values())
    alike = "as far, " if 0 < rise <= other else ""
    same, shuffled, centred, both = (
        " to ".join(words.number(end, "{:z.2f}") for end in pair) for pair in ends.values()
    )
    return (
        f"**{claim_words.found(study, 'C7')}: in {whose}, from the first epoch to the last, the cosine of the "
        f"same image goes from {same}, of shuffled pairs {alike}from {shuffled}; centred, from {centred} and from "
        f"{both} ({words.counted(len(group), 'seed')}).**"
    )
