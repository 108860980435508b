"""KD with something done to the classifier. Does accuracy follow mu, and what do the features look like?"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import by_method, interventions, stats
from kdnb.analysis.by_method import short, shown
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.methods import table as methods_table
from kdnb.runs import Run
from kdnb.runs.store import column_of

CURVES = {
    "test_accuracy": "test accuracy",
    "clean_accuracy": "accuracy on training images",
    "plug_in_accuracy_matched": "plug-in accuracy, matched",
    "cka": "CKA with the teacher",
    "mu_raw": "μ raw",
    "mu_rotated": "μ rotated",
}


# ------------------------------------------------------------------------------------------------------------- curves
@exhibit(
    "interventions-accuracy-{of}",
    "Test accuracy over the epochs, a curve for each intervention on the classifier.",
)
def curves(study: Study) -> Exhibit:
    """Test accuracy over all epochs, a curve a student; a menu puts another measure in its place.

    A point is the mean of :func:`block` epochs. The axis spans what the curves do after the warm-up, and a tenth more:
    the first epochs would flatten the rest.
    """
    runs = shown(study)
    tables = [interventions.blocks(study, run) for run in runs]
    fig = style.grid(1, 1, height=520)
    for run, table in zip(runs, tables, strict=True):
        fig.add_trace(style.curve(table, "test_accuracy", short(run), _line(study, run)))
    style.mark_drops(fig, runs[0])

    def span(column: str) -> list[float]:
        after = [column_of(table[table["epoch"] > study.warm_up], column) for table in tables]
        return style.limits(np.concatenate(after), 0.1, 0.05)

    fig.update_yaxes(title_text=CURVES["test_accuracy"], range=span("test_accuracy"))
    fig.update_xaxes(title_text="epoch")
    menu = style.measures_menu(tables, CURVES, lambda column: {"yaxis.range": span(column)})
    fig.update_layout(updatemenus=[menu], margin_t=96)
    each = f"a point: {interventions.block(study)} epochs" if interventions.block(study) > 1 else "a point an epoch"
    return Exhibit(style.captioned(fig, study, each, runs), curves_sentence(study), of=study.folder.name)


def _line(study: Study, run: Run) -> dict[str, object]:
    """The run's look; of SimKD's students thinner, the narrower the projector."""
    narrow = run.spec.method_parameters.get("factor", by_method.FACTORS[0]) / by_method.FACTORS[0]
    look = style.line(run, study.hottest)
    return look | {"width": look["width"] / narrow}


def curves_sentence(study: Study) -> str:
    """Who is first to where KD ends."""
    kd = study.nearest(by_method.TEMPERATURE)
    if kd is None:
        return "KD was not trained here, so that there is no level to reach."
    goal = kd.last("test_accuracy")
    there, never = [], []
    for run in (run for run in shown(study) if run is not kd):
        table = interventions.blocks(study, run)
        reached = table["epoch"][table["test_accuracy"] >= goal]
        if reached.empty:
            never.append(short(run))
        else:
            there.append((int(reached.iloc[0]), short(run)))
    text = f"**{kd.label}** ends at {goal:.2%}. "
    if there:
        text += (
            f"First to stand there: {style.joined(f'{label} (epoch {epoch})' for epoch, label in sorted(there)[:3])}. "
        )
    return text + (f"Never: {style.joined(never)}." if never else "Each of the others stood there at some time.")


# -------------------------------------------------------------------------------------------------- paired differences


@exhibit(
    "interventions-mu-{of}",
    "Test accuracy against final raw mu above and final rotated mu below, a mark for each run.",
)
def scatter(study: Study) -> Exhibit:
    """Test accuracy against mu, of the interventions."""
    return Exhibit(methods_table.draw_scatter(study), methods_table.scatter_sentence(study), of=study.folder.name)


@exhibit(
    "interventions-paired-{of}",
    "Test accuracy of each intervention less that of KD of the same seed, with intervals over seeds.",
)
def paired(study: Study) -> Exhibit:
    """Test accuracy less that of KD of the same seed, in points: a dot a seed, bars 95 % intervals over three."""
    fig = style.grid(1, 1, height=480)
    by_label = interventions.against_kd(study).groupby("label", sort=False)["points"]
    found = {str(label): estimate(points) for label, points in by_label}
    for trace in intervals.points(found, "accuracy less KD's", "points", {"color": style.TEACHER, "symbol": "diamond"}):
        fig.add_trace(trace.update(showlegend=False))
    fig.add_hline(0, line={"color": style.QUIET, "width": 2})
    fig.update_yaxes(title_text="accuracy less KD's (points)")
    intervals.axis(fig, list(found))
    runs = interventions.beside_kd(study) or study.students
    return Exhibit(
        style.captioned(fig, study, "same seed; bars: 95 % over seeds, where there are three", runs),
        paired_sentence(study),
        of=study.folder.name,
    )


def paired_sentence(study: Study) -> str:
    """Which differences to KD have an interval over seeds that leaves out zero."""
    means = interventions.against_kd(study).groupby("label", sort=False)["points"]
    enough = [(str(name), part) for name, part in means if len(part) >= stats.LEAST_RUNS]
    ends = {name: (float(part.mean()), *stats.mean_interval(part)) for name, part in enough}
    if not ends:
        return "No intervention here has three seeds that KD has as well: there is no interval."
    clear = [f"{name} ({mean:+.2f} points)" for name, (mean, low, high) in ends.items() if low > 0 or high < 0]
    text = f"The interval leaves out zero for {len(clear)} of {len(ends)} that share three seeds or more with KD"
    return f"{text}: {style.joined(clear)}." if clear else f"{text}."


# ------------------------------------------------------------------------------------------------------------ features


@exhibit(
    "interventions-features-{of}",
    "Six measures of the features and the classifier at the last epoch, a row for each intervention.",
)
def features(study: Study, table: pd.DataFrame) -> Exhibit:
    """``table`` of `interventions.looks`: a panel a measure, a row a network."""
    fig = style.grid(
        3, 2, list(interventions.LOOKS.values()), 900, shared_yaxes=True, vertical_spacing=0.09, horizontal_spacing=0.06
    )
    colors = {short(run): methods_table.look(study, run)["color"] for run in shown(study)} | {"teacher": style.TEACHER}
    marker = {"size": 10, "color": [colors[name] for name in table.index]}
    for place, (column, name) in enumerate(interventions.LOOKS.items()):
        trace = go.Scatter(x=style.significant(table[column]), y=list(table.index), name=name, mode="markers")
        trace.update(marker=marker, showlegend=False, hovertemplate=f"%{{y}}<br>{name}: %{{x:.4g}}<extra></extra>")
        fig.add_trace(trace, place // 2 + 1, place % 2 + 1)
    fig.update_xaxes(nticks=4)
    fig.update_yaxes(autorange="reversed", type="category", dtick=1)
    return Exhibit(
        style.captioned(fig, study, f"epoch {study.epochs}", shown(study)),
        features_sentence(table),
        of=study.folder.name,
    )


def features_sentence(table: pd.DataFrame) -> str:
    """Whose features are nearest to the teacher's, whose keep the classes best apart, and where NC3 is least."""
    students = table.drop(index="teacher", errors="ignore")
    ends = {
        "CKA with the teacher is highest for": ("cka", 1),
        "the classes lie farthest apart, beside their spread, for": ("ratio", 1),
        "the classifier's rows are nearest to the class means for": ("nc3", -1),
        "the teacher's classifier does best on the matched features of": ("plug_in_accuracy_matched", 1),
    }
    parts = []
    for text, (column, sign) in ends.items():
        if values := {str(name): value for name, value in students[column].dropna().items()}:
            ordered = sorted(values, key=lambda name: -sign * values[name])
            first, last = ordered[0], ordered[-1]
            parts.append(f"{text} **{first}** ({values[first]:.3g}; at the other end **{last}**, {values[last]:.3g})")
    return f"At the last epoch {'; '.join(parts)}."


def absent(study: Study) -> str:
    """Which interventions were not trained."""
    there = {run.spec.method for run in study.students}
    names = [name for name in interventions.METHODS if name not in there]
    return f"Not trained on {study.name}: {style.joined(names)}." if names else ""
