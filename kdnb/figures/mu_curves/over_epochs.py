"""Mu over the epochs, as in the paper's Fig. 1 and 3."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, words
from kdnb.analysis.students import ORDER
from kdnb.analysis.study import Study
from kdnb.claims.judge import Word
from kdnb.figures import claim_words, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run
from kdnb.runs.store import column_of

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
SO: Mapping[Word, str] = {"found here too": "yes,", "partly": "in part", "not found here": "not", "not testable": ""}
TWO = "a μ at two epochs after the warm-up"  # without which nothing is said of a change


@exhibit(
    "mu-selected-{of}",
    "Raw mu after the warm-up in per cent of its level there: a panel each for normal training and three temperatures.",
)
def selected(study: Study) -> Exhibit:
    """Fig. 1: a panel a student, each with its own axis, a thin line a seed and their mean; dotted: the bystander."""
    groups, normal = study.groups, study.get("normal")
    own = [run for run in study.students if run.spec.method not in ORDER]  # a reader's own methods
    shown = [*study.picked, *([normal] if normal else []), *own] or list(study.students[:3])
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    fig = style.grid(rows, columns, [run.label for run in shown], 90 + 230 * rows, horizontal_spacing=0.14)
    for place, run in enumerate(shown):
        where = {"row": place // columns + 1, "col": place % columns + 1}
        for trace in _courses(study, run, groups[run.label]):
            fig.add_trace(trace.update(showlegend=place == 0 and bool(trace.showlegend)), **where)
        fig.add_hline(0, line={"color": style.QUIET, "width": 1}, **where)
    style.mark_drops(fig, shown[0], study.warm_up)
    fig.update_yaxes(**style.shares("+.2~%", "+.2%"), nticks=6)
    fig.update_yaxes(title_text="change of μ raw", col=1)
    fig.update_xaxes(title_text="epoch", row=rows)
    fig.update_layout(legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0}, margin_b=90)
    runs = [one for run in shown for one in groups[run.label]]
    return Exhibit(style.captioned(fig, study, style.window(study), runs), answer=answer(study), of=study.name)


def _courses(study: Study, run: Run, group: Sequence[Run]) -> list[go.Scatter]:
    """A thin line a seed where there are several, their mean, and the mean of mu to the bystander."""
    color, traces = {"color": style.line(run, study.hottest)["color"]}, []
    for one in group:
        look = color | {"width": 1}
        name = f"{run.label}, seed {one.spec.init_seed}"
        trace = style.curve(study.course("mu_raw", one), "mu_raw", name, look, opacity=0.4)
        traces.append(trace.update(showlegend=False))
    for column, name, look in (
        ("mu_raw", "to the teacher (mean)", color | {"width": 3}),
        ("bystander_mu_raw", "to the bystander (mean)", {"color": style.BYSTANDER, "width": 2, "dash": "dot"}),
    ):
        mean = over_seeds.mean_course(study, column, group)
        traces.append(style.curve(mean, column, name, look, showlegend=True))
    # Colours differ between panels, one legend entry stands for all of them.
    return traces[:-2] * (len(group) > 1) + traces[-2:]


@exhibit(
    "mu-curves-{of}",
    "Raw mu and training loss after the warm-up, a curve a temperature; three in front, the others grey.",
)
def curves(study: Study) -> Exhibit:
    """Fig. 3: normal training and KD at every temperature, three of them in front; all students without these.

    Raw mu above, training loss below; a menu puts another measure in mu's place. One trace a run and panel: first mu of
    every run, then the loss of every run. Those in front are named at their lines' ends.
    """
    shown = [run for run in study.students if run.spec.method in ("normal", "kd")] or study.students
    front = [*study.picked, *(run for run in shown if run.spec.method != "kd")]
    fig = style.grid(2, 1, height=620, shared_xaxes=True, vertical_spacing=0.07)
    tables = [run.after(study.warm_up) for run in shown]
    for row, column in ((1, "mu_raw"), (2, "loss")):
        for run, table in zip(shown, tables, strict=True):
            back = run not in front
            look = {"color": style.QUIET, "width": 1.5} if back else style.line(run, study.hottest)
            ends = [""] * (len(table) - 1) + ["" if back else run.label.removeprefix("KD ")]
            trace = style.curve(table, column, run.label, look, legendgroup=run.label, showlegend=False, text=ends)
            trace.update(mode="lines+text", textposition="middle right", textfont={"size": 11}, cliponaxis=False)
            fig.add_trace(trace, row, 1)
    style.mark_drops(fig, shown[0], study.warm_up)
    fig.update_yaxes(title_text=MEASURES["mu_raw"], row=1)
    style.loss_axis(fig, tables, row=2)
    fig.update_xaxes(title_text="epoch", row=2)
    fig.update_xaxes(range=[study.warm_up, study.epochs])  # the names stand beyond
    fig.update_layout(updatemenus=[_measures_menu(tables)], margin_t=96, margin_r=64)
    return Exhibit(style.captioned(fig, study, style.window(study), shown), answer=order(study), of=study.name)


def _measures_menu(tables: Sequence[pd.DataFrame]) -> dict[str, object]:
    """A menu of MEASURES, as far as any of ``tables`` has them, in the place of mu: the first traces, one a table."""
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [
                {"y": [style.significant(column_of(table, column)) for table in tables]},
                {"yaxis.title.text": name},
                list(range(len(tables))),
            ],
        }
        for column, name in MEASURES.items()
        if any(column in table for table in tables)
    ]
    over = {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "pad": {"b": 2}}  # the panels
    return {"buttons": buttons, **over}


@exhibit(
    "mu-animation-{of}",
    "Raw mu and training loss over the epochs; a slider brings one temperature after another to the front.",
    step="student",
)
def animation(study: Study) -> Exhibit:
    """Raw mu and the loss with one temperature after another in front; all runs stay behind in grey."""
    runs = list(study.kd.values()) or list(study.students)
    figures = {run.label: _in_front(study, runs, run) for run in runs}
    return Exhibit(figures, start=study.leading.label, of=study.name)


def _in_front(study: Study, runs: Sequence[Run], front: Run) -> go.Figure:
    fig = style.grid(2, 1, height=560, shared_xaxes=True, vertical_spacing=0.07)
    tables, look = [run.after(study.warm_up) for run in runs], style.line(front, study.hottest, 3)
    for row, column in ((1, "mu_raw"), (2, "loss")):
        for run, table in zip(runs, tables, strict=True):
            trace = style.curve(table, column, run.label, {"color": style.QUIET, "width": 1})
            fig.add_trace(trace.update(showlegend=False, hoverinfo="skip", hovertemplate=None), row, 1)
        fig.add_trace(style.curve(front.after(study.warm_up), column, front.label, look, showlegend=False), row, 1)
    fig.update_yaxes(title_text="μ raw", row=1)
    style.loss_axis(fig, tables, row=2)
    fig.update_xaxes(title_text="epoch", row=2)
    return style.captioned(fig, study, style.window(study), runs)


def answer(study: Study) -> str:
    """Whether mu falls under KD, as far as it does to the bystander, and how far beside it; each over its seeds."""
    peak, own = study.leading, moving(study, [study.leading]).get(study.leading.label, [])
    others = [run for run in (*study.picked, study.get("normal")) if run and run is not peak]
    beside = moving(study, others)
    if not own and not beside:
        return f"**Whether μ falls cannot be told: no student by KD or normal training here has {TWO}.**"
    found = claim_words.found(study, "C3", own)
    told = f"claim C3 {'' if found.startswith('Cannot') else 'is '}{found[:1].lower()}{found[1:]}"
    if own:
        other = over_seeds.estimate(study.change("bystander_mu_raw", one) for one in own).mean
        to_it = f", to the bystander {percent(other)}" if np.isfinite(other) else ""
        so = f"{SO[claim_words.judge(study, 'C3').verdict]} {at(peak)}".strip()
        told = f"{so} (μ changes by {percent(mean_change(study, own))}{to_it}; {_count(own)}): {told}"
    if own or not beside:  # the others are drawn
        return words.sentence(told)
    (first, change), *rest = [
        (at(run), percent(mean_change(study, beside[run.label]))) for run in others if run.label in beside
    ]
    moves = style.joined([f"{words.capital(first)} μ changes by {change}", *(f"{w} by {c}" for w, c in rest)])
    return words.sentence(f"{told}. {moves} ({_count(next(iter(beside.values())))})")


def at(run: Run) -> str:
    """Of which student a number is, in a sentence."""
    if run.spec.method == "kd":
        return f"at T = {run.spec.method_parameters['temperature']:g}"
    return f"under {'normal training' if run.spec.method == 'normal' else run.label}"


def moving(study: Study, shown: Iterable[Run]) -> dict[str, list[Run]]:
    """By label, of the students ``shown`` the runs whose mu moves after the warm-up, of seeds that they all have."""
    found = {
        run.label: [one for one in study.groups[run.label] if np.isfinite(study.change("mu_raw", one))] for run in shown
    }
    return over_seeds.common({label: runs for label, runs in found.items() if runs})


def mean_change(study: Study, runs: Iterable[Run]) -> float:
    """How far mu moves after the warm-up, on the mean over runs."""
    return float(np.mean([study.change("mu_raw", run) for run in runs]))


def _count(runs: Sequence[Run]) -> str:
    return words.counted(len(runs), "seed")


def order(study: Study) -> str:
    """At which temperatures mu falls after the warm-up, over the seeds that all of them have."""
    runs = moving(study, study.kd.values())
    known = {t: mean_change(study, runs[run.label]) for t, run in study.kd.items() if runs.get(run.label)}
    if not known:
        return f"**Whether μ falls at any temperature cannot be told: no student here learned by KD and has {TWO}.**"
    group = next(iter(runs.values()))
    of = f"mean over {_count(group)}" if len(group) > 1 else style.seeds(group)
    falls = [t for t, change in known.items() if change < 0]
    some = f"T = {style.joined(falls)}," if 0 < len(falls) < len(known) else "all" if falls else "none"
    return f"**At {some} of {words.counted(len(known), 'temperature')} ({of}).**"


def percent(share: float) -> str:
    """A relative change, to read."""
    return words.number(share, "{:+.1%}")
