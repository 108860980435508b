"""The data and its views, how teacher and students were trained, and what came out."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics.pairwise import cosine_similarity

from kdnb import methods, paths
from kdnb.analysis import class_rows, curves, over_seeds, stats, words
from kdnb.analysis import nearness as distances
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.students import PEAK
from kdnb.data import Dataset, Views
from kdnb.figures import origin, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.style import COLORWAY
from kdnb.runs import Run

SESSION = ("started", "ended", "epochs", "runs", "hardware", "torch", "commit")  # what is told of one


@exhibit("teacher-curves", "Training and test loss, training and test accuracy of the teacher over the epochs.")
def teacher_curves(run: Run, dataset: Dataset) -> Exhibit:
    """Loss and accuracy of the teacher."""
    last = run.history.iloc[-1]
    answer = (
        f"**{last['clean_accuracy']:.2%} of the training images, shown without augmentation, and "
        f"{last['test_accuracy']:.2%} of the test images (guessing: {100 / dataset.num_classes:.3g}%).**"
    )
    return Exhibit(_curves(run), teacher_sentence(run, dataset), answer)


@exhibit("student-curves", "Loss terms and accuracies of one student over the epochs.", step="student")
def student_curves(runs: Sequence[Run]) -> Exhibit:
    """Loss and accuracy of each student; first KD's at T = 4, where there is one."""
    figures = {f"{run.label}, seed {run.spec.init_seed}": _curves(run) for run in runs}
    kd = [run for run in runs if run.spec.method == "kd"]
    first = next((run for run in kd if run.spec.method_parameters["temperature"] == PEAK), (kd or list(runs))[0])
    return Exhibit(figures, answer=_terms(first), start=f"{first.label}, seed {first.spec.init_seed}")


def _terms(run: Run) -> str:
    """What distillation makes up of the loss of one student, early and late."""
    terms = [name for name in methods.METHODS[run.spec.method].term_names if name != "ce"]
    if not terms or f"loss_{terms[0]}" not in run.history:
        return f"**{run.label} learns from the labels alone.**"
    early, late = curves.share_of_loss(run, terms)
    mostly = "Mostly on distillation: it" if min(early, late) > 0.5 else "Mostly on the labels: distillation"
    so = mostly if (early > 0.5) == (late > 0.5) else "On one early and on the other late: distillation"
    return f"**{so} makes up {early:.0%} of {run.label}'s loss in the first epoch, {late:.0%} in the last.**"


def _curves(run: Run) -> go.Figure:
    """Loss and accuracy over the epochs of one run; dotted lines where the learning rate falls."""
    fig = style.grid(1, 2, ["loss", "accuracy"], horizontal_spacing=0.12)
    terms = [str(name) for name in run.history if str(name).startswith("loss_")]
    lines = [(1, "loss", *_TRAINING), (1, "test_loss", *_TEST)]
    if len(terms) > 1:
        colors = zip(terms, COLORWAY[3:], strict=False)
        lines += [(1, name, f"training loss, of which {name[5:]}", color, "dash") for name, color in colors]
    lines += [(2, "train_accuracy", *_TRAINING), (2, "clean_accuracy", *_CLEAN), (2, "test_accuracy", *_TEST)]
    for col, column, name, color, dash in lines:
        look = {"color": color, "width": 1.5, "dash": dash}
        seen = col == 1 or name == _CLEAN[0]  # once in the legend
        fig.add_trace(style.curve(run.history, column, name, look, legendgroup=name, showlegend=seen), 1, col)
    style.mark_drops(fig, run)
    fig.update_xaxes(title_text="epoch").update_yaxes(type="log", col=1).update_yaxes(**style.shares(".0%"), col=2)
    return origin.mark(fig, [run]).update_layout(legend={"orientation": "h", "y": -0.25})


# A colour and a dash for each kind of images, in both panels.
_TRAINING = ("training images", COLORWAY[0], "solid")
_CLEAN = ("training images without augmentation", COLORWAY[2], "dashdot")
_TEST = ("test images", COLORWAY[1], "dot")


@exhibit(
    "class-similarity",
    "Cosine similarity of the classifier's class rows, from the first epoch to the last.",
    step="epoch",
)
def class_similarity(run: Run, class_names: Sequence[str]) -> Exhibit:
    """Cosines of the classifier's rows after a dozen epochs, the last one first."""
    figures = {f"{epoch}": _class_similarity(run, epoch, class_names) for epoch in shown_epochs(run)}
    one, other, top, least = class_rows.most_alike(class_rows.last_weight(run))
    names = [html.escape(class_names[k], quote=False) for k in (one, other)]
    collapsed = words.number(-1 / (len(class_names) - 1), "{:.2f}")
    answer = (
        f"**Rows whose cosines lie between {words.number(least, '{:.2f}')} and {words.number(top, '{:.2f}')} (most "
        f"alike: {names[0]} and {names[1]}); complete neural collapse: {collapsed} for every pair.**"
    )
    return Exhibit(figures, answer=answer, start=list(figures)[-1])


def _class_similarity(run: Run, epoch: int, class_names: Sequence[str]) -> go.Figure:
    """Cosine of every two class rows of the classifier after ``epoch``: towards collapse all become -1/(K-1)."""
    weight = run.trace()[0][run.trace_epochs.index(epoch)]
    shown = [html.escape(name, quote=False) for name in class_names]  # a folder's name is text, Plotly draws HTML
    fig = go.Figure(
        go.Heatmap(
            z=np.round(cosine_similarity(weight - weight.mean(0)), 3).astype(np.float32),
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


def shown_epochs(run: Run) -> list[int]:
    """At most 13 of the epochs whose classifier is kept, evenly spread from the first to the last."""
    kept = run.trace_epochs
    return [kept[place] for place in sorted({int(place) for place in np.linspace(0, len(kept) - 1, 13).round()})]


def results(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a student at the last epoch; the best epoch is shown as such, never as the result."""
    rows = []
    for run in runs:
        last = run.history.iloc[-1]
        row: dict[str, object] = {
            "student": run.label,
            "test, last epoch (%)": round(100 * last["test_accuracy"], 2),
            "best epoch (%)": round(100 * run.history["test_accuracy"].max(), 2),
            "epoch of matched accuracy": run.matched_epoch or "never",
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
    """What was trained on what, in numbers read from the run."""
    last, spec = run.history.iloc[-1], run.spec
    epochs = words.counted(spec.epochs, "epoch")
    return (
        f"**{spec.model}** on {spec.dataset}, seed {spec.init_seed}, {epochs}: {len(dataset.train.labels)} "
        f"training and {len(dataset.test.labels)} test images, {dataset.num_classes} classes, "
        f"{Views(dataset.train, dataset, 'cpu').count} views of each training image; ‖W‖ = {last['weight_norm']:.2f}."
    )


def students_sentence(runs: Sequence[Run]) -> str:
    """How many students, and over how many epochs."""
    students, epochs = words.counted(len(runs), "student"), sum(len(run.history) for run in runs)
    return f"{students}, {words.counted(epochs, 'epoch')} in all."


@exhibit("nearness", "Raw mu to the teacher less raw mu to the bystander: a row a student, a mark a seed.")
def nearness(students: Sequence[Run], profile: str) -> Exhibit:
    """Whether students end nearer to their teacher than to the bystander, over all seeds at hand; below it, numbers.

    profile: whose published runs give further seeds.
    """
    shown = distances.alike(students, [students[0].path.parent, paths.results(profile)])
    found = distances.differences(shown)
    unbroken = results(students).rename(index=lambda label: label.replace(" ", "\u00a0"))
    table = style.table(unbroken.reset_index(), "the students in numbers")
    fig = _nearness(shown, found, students[0].spec.init_seed) if shown else None
    return Exhibit(fig, students_sentence(students), _nearer(students, found), table)


def _nearness(shown: Sequence[Run], found: Values, mine: int) -> go.Figure:
    """A row a student, a mark a seed, that of the seed ``mine`` filled; left of zero: nearer to the teacher."""
    seeds, labels = list(distances.by_seed(found)), list(found)
    fig = style.grid(1, 1, height=120 + 26 * len(labels))
    for place, seed in enumerate(seeds):
        there = [label for label in labels if seed in found[label]]
        symbol = style.SYMBOLS[place % 15] + ("" if seed == mine else "-open")
        marks = go.Scatter(x=style.significant([found[label][seed] for label in there]), y=there, mode="markers")
        marks.update(name=f"seed {seed}", marker={"symbol": symbol, "size": 9, "color": COLORWAY[place % 7]})
        fig.add_trace(marks.update(hovertemplate=f"%{{y}}, seed {seed}: %{{x:+.3g}}<extra></extra>"))
    fig.add_vline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(title_text="μ to the teacher less μ to the bystander (below 0: nearer to the teacher)")
    fig.update_yaxes(type="category", autorange="reversed")
    fig.update_layout(margin_t=16, showlegend=True)
    return origin.mark(fig, shown)


def _nearer(students: Sequence[Run], found: Values) -> str:
    """How many students of this seed end nearer to their teacher, and what the seeds say together."""
    seeds, mine = distances.by_seed(found), students[0].spec.init_seed
    if mine not in seeds:
        return "**It cannot be told: these students have no bystander, or no μ.**"
    count, of = sum(value < 0 for value in seeds[mine]), len(seeds[mine])
    text = f"{count} of {of} students of seed {mine} end nearer to their teacher"
    over, shared = over_seeds.of_seeds(found), over_seeds.shared(found)
    if np.isnan(over.low) or len(seeds) < stats.LEAST_RUNS:
        return (
            f"**It cannot be told from {words.counted(len(seeds), 'seed')}: {text}, and all of a seed share a start.**"
        )
    word = {-1: "Yes", 0: "It cannot be told", 1: "No"}[over.side]
    mean, low, high = (words.number(value, "{:+.2f}") for value in (over.mean, over.low, over.high))
    among = "" if len(shared) == of else f" of the {len(shared)} that all have"
    return f"**{word}: {text}; over {len(seeds)} seeds the mean difference{among} is {mean} (95%: {low} to {high}).**"


@exhibit("provenance", "Where, when and with what the runs were trained, a row a session.")
def provenance(runs: Sequence[Run]) -> Exhibit:
    """Where the runs are from, folded."""
    table = style.table(provenance_table(runs).reset_index(), "provenance")
    return Exhibit(table=style.folded("Where, when and with which versions it was trained", table))


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
    return pd.DataFrame(rows, columns=SESSION).set_index("started")
