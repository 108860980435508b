"""Accuracy against temperature (the paper's claim that T = 4 is best)."""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import over_seeds
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "accuracy-by-temperature-{of}",
    "Test accuracy of the last epoch against T, with normal training, DIST, MSE and the teacher as lines.",
)
def by_temperature(study: Study) -> Exhibit:
    """Test accuracy of the last epoch against T; normal, DIST, MSE and the teacher across; KD's seeds as dots."""
    fig, groups = style.grid(1, 1, height=430), over_seeds.groups(study)
    read = {run.label: [one.last("test_accuracy") for one in groups[run.label]] for run in study.students}
    own = {t: np.mean(read[run.label]) for t, run in study.kd.items()}
    colors = [style.temperature_color(t, study.hottest) for t in own]
    trace = go.Scatter(x=list(own), y=style.significant(list(own.values())), name="KD", mode="lines+markers")
    trace.update(marker={"size": 11, "color": colors}, line={"color": style.QUIET, "width": 2})
    fig.add_trace(trace.update(hovertemplate="T = %{x}<br>accuracy: %{y}<extra></extra>"))
    if any(len(read[run.label]) > 1 for run in study.kd.values()):
        x = [t for t, run in study.kd.items() for _ in read[run.label]]
        y = [value for run in study.kd.values() for value in read[run.label]]
        dots = {"size": 6, "color": style.OTHER, "symbol": "circle-open"}
        fig.add_trace(go.Scatter(x=x, y=style.significant(y), name="KD, each seed", mode="markers", marker=dots))
    for run in study.others:
        fig.add_trace(style.across(study, run, float(np.mean(read[run.label])), "accuracy"))
    if study.teacher is not None:
        teacher = style.across(study, study.teacher, study.teacher.last("test_accuracy"), "accuracy")
        fig.add_trace(teacher.update(line={"color": style.TEACHER, "dash": "longdash", "width": 2}))
    fig.update_yaxes(title_text="test accuracy, last epoch", **style.shares(".1%"))
    style.temperature_axis(fig, study)
    drawn = style.captioned(fig, study, f"epoch {study.epochs}, mean over seeds", study.shown)
    return Exhibit(drawn, answer=sentence(study), of=study.name)


def sentence(study: Study) -> str:
    """Where the best temperature is on the mean over seeds, its lead, and how much a test set of this size tells."""
    groups = over_seeds.groups(study)
    values = {t: np.mean([run.last("test_accuracy") for run in groups[run.label]]) for t, run in study.kd.items()}
    if len(values) < 2:
        return "**Whether there is a best temperature cannot be told: KD was not trained at several.**"
    ordered = sorted(values, key=values.__getitem__, reverse=True)
    lead, best = 100 * (values[ordered[0]] - values[ordered[1]]), values[ordered[0]]
    found = f"T = {ordered[0]:g} is best by {lead:.2f} points" if lead > 0 else "No one temperature is best"
    text = f"{found}; the highest mean accuracy is {best:.2%}, the lowest {min(values.values()):.2%}"
    size = study.students[0].test_images
    return f"**{text}{f' (one test image is {100 / size:.2f} points)' if size else ''}.**"
