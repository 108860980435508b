"""Mu over the epochs (paper, Fig. 1, 3 and 7), and what raw mu must not be shown without."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import alignment
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

# Measures a reader can lay over Fig. 1 instead of raw mu; column -> name in figures.
MEASURES = {
    "mu_raw": "μ raw",
    "weight_norm": "‖W<sub>s</sub>‖",
    "bystander_mu_raw": "μ raw to the bystander",
    "mu_centred": "μ centred",
    "mu_permuted": "μ permuted",
    "mu_matched": "μ matched",
    "mu_scaled": "μ scaled",
    "mu_rotated": "μ rotated",
    "bystander_mu_rotated": "μ rotated to the bystander",
    "classifier_cosine": "cosine of the classifiers",
}
PANELS = {
    "mu_raw": "μ raw",
    "bystander_mu_raw": "μ raw to the bystander",
    "mu_matched": "μ matched",
    "mu_rotated": "μ rotated",
    "weight_norm": "‖W<sub>s</sub>‖",
    "loss": "training loss",
}
RUNGS = {
    "mu_raw": ("raw", "#0072b2", "solid"),
    "mu_centred": ("centred", "#56b4e9", "dash"),
    "mu_matched": ("matched on features", "#009e73", "solid"),
    "mu_permuted": ("permuted on W (least)", "#e69f00", "solid"),
    "mu_rotated": ("rotated", "#cc79a7", "solid"),
    "bystander_mu_raw": ("bystander, raw", style.BYSTANDER, "dash"),
    "bystander_mu_rotated": ("bystander, rotated", style.BYSTANDER, "dot"),
}


@exhibit(
    "mu-curves",
    "Raw mu and training loss over the epochs after the warm-up, a curve for normal training and for each T.",
)
def curves(study: Study) -> Exhibit:
    """Fig. 1 and 3 of normal training and KD."""
    return Exhibit(draw_curves(study, students(study)), sentence(study))


def students(study: Study) -> Sequence[Run]:
    """Those that Fig. 1 shows, normal training and KD; all where there are none of these."""
    return [run for run in study.students if run.spec.method in ("normal", "kd")] or study.students


def draw_curves(study: Study, shown: Sequence[Run]) -> go.Figure:
    """Fig. 1 and 3: raw mu above, training loss below, after the warm-up; a menu puts another measure in mu's place.

    One trace a run and panel: first mu of every run, then the loss of every run.
    """
    fig = style.grid(2, 1, height=620, shared_xaxes=True, vertical_spacing=0.07)
    tables = [run.after(study.warm_up) for run in shown]
    for row, column in ((1, "mu_raw"), (2, "loss")):
        for run, table in zip(shown, tables, strict=True):
            look = style.line(run, study.hottest)
            trace = style.curve(table, column, run.label, look, legendgroup=run.label, showlegend=row == 1)
            fig.add_trace(trace, row, 1)
    style.mark_drops(fig, shown[0], study.warm_up)
    fig.update_yaxes(title_text=MEASURES["mu_raw"], row=1)
    style.loss_axis(fig, tables, row=2)
    fig.update_xaxes(title_text="epoch", row=2)
    menu = style.measures_menu(tables, MEASURES, lambda column: {}, list(range(len(tables))))
    fig.update_layout(updatemenus=[menu], margin_t=96)
    return style.captioned(fig, study, style.window(study), shown)


@exhibit(
    "mu-panels",
    "Six panels over all epochs: mu raw, to the bystander, matched, rotated, the weights' norm and the loss.",
    step="temperature",
)
def panels(study: Study) -> Exhibit:
    """One figure a temperature: six small panels over all epochs, the same axes for each, the warm-up shaded.

    Normal training stands in each as a reference. Returned with the labels that a stepper shows.
    """
    normal = study.get("normal")
    runs = list(study.kd.values()) or list(study.students)
    compared = [*runs, normal] if normal else runs
    limits = {}  # the same for every temperature
    for column in PANELS:
        there = [one.history[column].to_numpy(float) for one in compared if column in one.history]
        values = np.concatenate(there or [np.array([0.0, 1.0])])
        # Of the loss exponents: its axis is logarithmic.
        limits[column] = style.limits(np.log10(np.maximum(values, 1e-12)) if column == "loss" else values)
    return Exhibit({run.label: _panels(study, run, normal, limits) for run in runs})


def _panels(study: Study, run: Run, normal: Run | None, limits: Mapping[str, list[float]]) -> go.Figure:
    fig = style.grid(
        3, 2, list(PANELS.values()), 640, shared_xaxes=True, vertical_spacing=0.09, horizontal_spacing=0.13
    )
    shown = [run] if normal in (None, run) else [normal, run]
    for place, column in enumerate(PANELS):
        row, col = place // 2 + 1, place % 2 + 1
        for one in shown:
            name = "KD at the chosen T" if one.spec.method == "kd" else one.label
            trace = style.curve(one.history, column, name, style.line(one, study.hottest))
            fig.add_trace(trace.update(legendgroup=name, showlegend=place == 0), row, col)
        fig.update_yaxes(range=limits[column], row=row, col=col)
    fig.update_yaxes(type="log", dtick=1, row=3, col=2)
    fig.update_xaxes(range=[0, study.epochs], tickvals=[0, study.epochs // 2, study.epochs])
    fig.update_xaxes(title_text="epoch", row=3)
    if study.warm_up:
        fig.add_vrect(0, study.warm_up, fillcolor=style.QUIET, opacity=0.3, line_width=0)
    return style.captioned(fig, study, f"{run.label}; shaded: warm-up", shown)


@exhibit(
    "mu-animation",
    "Raw mu and training loss over the epochs; a slider brings one temperature after another to the front.",
)
def animation(study: Study) -> Exhibit:
    """Raw mu and the loss with one temperature after another in front: Plotly frames, a slider and a play button.

    All runs stay behind in grey. Frames: one a temperature, its traces the last two of the figure.
    """
    runs = list(study.kd.values()) or list(study.students)
    fig = style.grid(2, 1, height=560, shared_xaxes=True, vertical_spacing=0.07)
    for row, column in ((1, "mu_raw"), (2, "loss")):
        for run in runs:
            trace = style.curve(run.after(study.warm_up), column, run.label, {"color": style.QUIET, "width": 1})
            fig.add_trace(trace.update(showlegend=False, hoverinfo="skip", hovertemplate=None), row, 1)
    for row, trace in ((1, _front(study, runs[0])[0]), (2, _front(study, runs[0])[1])):
        fig.add_trace(trace, row, 1)
    moving = [len(fig.data) - 2, len(fig.data) - 1]
    fig.frames = [go.Frame(name=run.label, data=_front(study, run), traces=moving) for run in runs]
    fig.update_yaxes(title_text="μ raw", row=1)
    style.loss_axis(fig, [run.after(study.warm_up) for run in runs], row=2)
    fig.update_xaxes(title_text="epoch", row=2)
    fig.update_layout(sliders=[_slider(runs)], updatemenus=[_play()], margin_t=96)
    return Exhibit(style.captioned(fig, study, style.window(study), runs))


def _front(study: Study, run: Run) -> list[go.Scatter]:
    table, look = run.after(study.warm_up), style.line(run, study.hottest, 3)
    return [style.curve(table, column, run.label, look, showlegend=False) for column in ("mu_raw", "loss")]


def _slider(runs: Sequence[Run]) -> dict[str, object]:
    show = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    steps = [
        {"label": run.label.removeprefix("KD T="), "method": "animate", "args": [[run.label], show]} for run in runs
    ]
    kind = "T = " if all(run.spec.method == "kd" for run in runs) else ""
    look = {"x": 0, "len": 1, "y": -0.12, "yanchor": "top", "pad": {"t": 4}}
    return {"steps": steps, "currentvalue": {"prefix": kind}, **look}


def _play() -> dict[str, object]:
    go_on = {"frame": {"duration": 700, "redraw": False}, "transition": {"duration": 0}, "fromcurrent": True}
    stop = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}
    buttons = [
        {"label": "▶", "method": "animate", "args": [None, go_on]},
        {"label": "❚❚", "method": "animate", "args": [[None], stop]},
    ]
    look = {"direction": "left", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "pad": {"b": 2}}
    return {"type": "buttons", "buttons": buttons, "showactive": False, **look}


@exhibit("mu-methods", "Raw mu and training loss after the warm-up for normal training, KD, DIST and MSE.")
def methods(study: Study) -> Exhibit:
    """Fig. 7: DIST beside KD at T = 4, MSE and normal training; the same menu of measures as Fig. 1."""
    kd = study.nearest(4)
    shown = [*study.others, *([kd] if kd else [])]
    return Exhibit(draw_curves(study, shown))


@exhibit(
    "mu-ladder",
    "Mu of one student over all epochs: raw, centred, matched, permuted, rotated, scaled, to the bystander.",
    step="student",
)
def ladder(study: Study) -> Exhibit:
    """One figure a run: mu raw, aligned ever more freely, and to the bystander; below it mu scaled, in its own unit.

    Where the teacher's run is at hand, the mu of two classifiers without anything in common, sqrt(||W_t||^2 +
    ||W_s||^2), is drawn as well.
    """
    runs = list(study.students)
    return Exhibit({run.label: _ladder(study, run) for run in runs}, ladder_sentence(study))


def _ladder(study: Study, run: Run) -> go.Figure:
    fig = style.grid(2, 1, height=600, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.74, 0.26])
    for column, (name, color, dash) in RUNGS.items():
        fig.add_trace(style.curve(run.history, column, name, {"color": color, "dash": dash, "width": 2}), 1, 1)
    unrelated = run.history.assign(unrelated=alignment.unrelated(study, run))
    look = {"color": style.OTHER, "width": 1}
    fig.add_trace(style.curve(unrelated, "unrelated", "nothing in common", look), 1, 1)
    fig.add_trace(style.curve(run.history, "mu_scaled", "scaled", {"color": "#d55e00", "width": 2}), 2, 1)
    fig.update_yaxes(title_text="μ", rangemode="tozero", row=1)
    fig.update_yaxes(title_text="μ scaled", rangemode="tozero", row=2)
    fig.update_xaxes(title_text="epoch", row=2)
    style.mark_drops(fig, run)
    return style.captioned(fig, study, f"{run.label}, all {run.spec.epochs} epochs", [run])


def sentence(study: Study) -> str:
    """What the curves show: how far mu moves after the warm-up, and ||W_s|| and the bystander's mu beside it."""
    shown = [run for run in (study.nearest(4), study.get("normal")) if run]
    parts = []
    for run in shown or study.students[:1]:
        if "mu_raw" not in run.history:
            parts.append(f"**{run.label}** has no μ, since its classifier is not its own")
            continue
        moves = [
            f"{name} from {study.first(column, run):.3g} to {run.last(column):.3g} "
            f"({percent(study.change(column, run))})"
            for name, column in (("raw μ goes", "mu_raw"), ("‖W_s‖", "weight_norm"))
        ]
        if "bystander_mu_raw" in run.history:
            change = percent(study.change("bystander_mu_raw", run))
            moves.append(f"and μ to the bystander, which this student never saw, by {change}")
        parts.append(f"for **{run.label}** {', '.join(moves)}")
    return f"In {style.window(study)}, {'; '.join(parts)}."


def percent(share: float) -> str:
    """A relative change, to read."""
    return f"{share:+.1%}" if np.isfinite(share) else "undefined"


def ladder_sentence(study: Study) -> str:
    """How much of raw mu an alignment takes away at the end, and how raw mu compares with unrelated classifiers."""
    run = study.nearest(4) or study.students[0]
    raw = run.last("mu_raw")
    if not raw > 0:
        return f"**{run.label}** keeps the teacher's classifier: there is no μ to take apart."
    rest = [f"{kind} {run.last(f'mu_{kind}') / raw:.0%}" for kind in ("centred", "matched", "permuted", "rotated")]
    text = f"For **{run.label}** at the last epoch, of raw μ = {raw:.3g} there remain: {style.joined(rest)}."
    if study.teacher is not None:
        nothing = float(alignment.unrelated(study, run)[-1])
        text += f" Two classifiers of these norms with nothing in common would be {nothing:.3g} apart."
    if "bystander_mu_raw" in run.history:
        text += (
            f" To the bystander's classifier raw μ is {run.last('bystander_mu_raw'):.3g} and rotated μ "
            f"{run.last('bystander_mu_rotated'):.3g}, beside {run.last('mu_rotated'):.3g} to the teacher's."
        )
    return text
