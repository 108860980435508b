"""Accuracy against temperature (the paper's claim that T = 4 is best)."""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "accuracy-by-temperature",
    "Test accuracy of the last epoch against T, with normal training, DIST, MSE and the teacher as lines.",
)
def by_temperature(study: Study) -> Exhibit:
    """Test accuracy of the last epoch against T; normal, DIST, MSE and the teacher across; other seeds as dots."""
    fig = style.grid(1, 1, height=430)
    own = {t: run.last("test_accuracy") for t, run in study.kd.items()}
    colors = [style.temperature_color(t, study.hottest) for t in own]
    trace = go.Scatter(x=list(own), y=style.significant(list(own.values())), name="KD", mode="lines+markers")
    trace.update(marker={"size": 11, "color": colors}, line={"color": style.QUIET, "width": 2})
    fig.add_trace(trace.update(hovertemplate="T = %{x}<br>accuracy: %{y:.2%}<extra></extra>"))
    others = [run for group in study.by_seeds.values() for run in group if run not in study.students]
    if seeds := [run for run in others if run.spec.method == "kd"]:
        x = [run.spec.method_parameters["temperature"] for run in seeds]
        y = [run.last("test_accuracy") for run in seeds]
        dots = {"size": 6, "color": style.OTHER, "symbol": "circle-open"}
        fig.add_trace(go.Scatter(x=x, y=style.significant(y), name="KD, other seeds", mode="markers", marker=dots))
    for run in study.others:
        fig.add_trace(style.across(study, run, run.last("test_accuracy"), "accuracy"))
    if study.teacher is not None:
        teacher = style.across(study, study.teacher, study.teacher.last("test_accuracy"), "accuracy")
        fig.add_trace(teacher.update(line={"color": style.TEACHER, "dash": "longdash", "width": 2}))
    fig.update_yaxes(title_text="test accuracy, last epoch", tickformat=".1%")
    style.temperature_axis(fig, study)
    return Exhibit(style.captioned(fig, study, f"epoch {study.epochs}"), sentence(study))


def sentence(study: Study) -> str:
    """Where the best temperature is, and how much a test set of this size can tell apart."""
    if not study.kd:
        return "There are no KD runs to compare temperatures with."
    values = {t: run.last("test_accuracy") for t, run in study.kd.items()}
    best = max(values.values())
    winners = style.joined([t for t, value in values.items() if value == best])
    size = study.students[0].test_images
    text = f"The highest accuracy, {best:.2%}, is at T = {winners}; the lowest, {min(values.values()):.2%}."
    if size is None:
        return text
    error = np.sqrt(best * (1 - best) / size) if best < 1 else 1 / size
    return (
        f"{text} With {size:,} test images one image is {1 / size:.2%}, and the best accuracy's own standard error "
        f"about {error:.2%}: differences of that size rank nothing."
    )
