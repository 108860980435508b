"""Accuracy against temperature (the paper's claim that T = 4 is best)."""

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, words
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit


@exhibit(
    "accuracy-by-temperature-{of}",
    "Test accuracy of the last epoch against T, with normal training, DIST, MSE and the teacher as lines.",
)
def by_temperature(study: Study) -> Exhibit:
    """Test accuracy of the last epoch against T; normal, DIST, MSE and the teacher across; KD's seeds as dots.

    Lines: means over those seeds that all of these students have.
    """
    fig, groups = style.grid(1, 1, height=430), {run.label: study.groups[run.label] for run in study.students}
    read = {label: [one.last("test_accuracy") for one in group] for label, group in groups.items()}
    drawn = over_seeds.common(groups)
    means = {label: float(np.mean([one.last("test_accuracy") for one in group])) for label, group in drawn.items()}
    own = {t: means[run.label] for t, run in study.kd.items()}
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
        fig.add_trace(style.across(study, run, means[run.label], "accuracy"))
    if study.teacher is not None:
        teacher = style.across(study, study.teacher, study.teacher.last("test_accuracy"), "accuracy")
        fig.add_trace(teacher.update(line={"color": style.TEACHER, "dash": "longdash", "width": 2}))
    fig.update_yaxes(title_text="test accuracy, last epoch", **style.shares(".1%"))
    style.temperature_axis(fig, study)
    shown = [run for group in groups.values() for run in group]
    what = f"epoch {study.epochs}, {style.means_of(drawn, shown)}"
    return Exhibit(style.captioned(fig, study, what, shown), answer=sentence(study), of=study.name)


def sentence(study: Study) -> str:
    """Whether one temperature is best, seed by seed: its lead with an interval, and what a test image is worth."""
    groups = over_seeds.common({t: study.groups[run.label] for t, run in study.kd.items()})
    if len(groups) < 2:
        return "**Whether there is a best temperature cannot be told: KD was not trained at several.**"
    values = {t: np.array([100 * run.last("test_accuracy") for run in group]) for t, group in groups.items()}
    first, second, *_ = sorted(values, key=lambda t: -values[t].mean())
    lead = over_seeds.estimate(values[first] - values[second])
    ends = [words.number(end, "{:+.2f}") for end in (lead.low, lead.high) if np.isfinite(end)]
    sure = f"{'95%: ' if ends else ''}{' to '.join(ends)}{', ' if ends else ''}n\u00a0=\u00a0{len(lead.values)}"
    found = f"T = {first:g} is best" if lead.side > 0 else f"None that can be told: T = {first:g} has the highest mean"
    text = (
        f"{found}, {lead.mean:.2f} points above the next ({sure}); the highest mean accuracy is "
        f"{values[first].mean():.2f}%, the lowest {min(value.mean() for value in values.values()):.2f}%"
    )
    size = study.students[0].test_images
    return f"**{text}{f' (one test image is {100 / size:.2f} points)' if size else ''}.**"
