"""What the interventions answer: each question is the difference between two of them, seed by seed."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import by_method, design, stats, words
from kdnb.analysis.interventions import against_kd, beside_kd, differences, group
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.methods.table import number

LABELS = {"kd": "KD T=4", "simkd": "SimKD"}
# What is asked, and the two methods whose difference answers it.
QUESTIONS = {
    "Does it matter where the classifier starts?": ("started", "kd"),
    "Does it matter that the classifier is trained?": ("frozen", "kd"),
    "Does raw μ matter?": ("permuted", "frozen"),
    "Do the axes matter?": ("rotated", "frozen"),
    "Does it matter which row is whose?": ("shuffled", "frozen"),
    "Does it take this teacher's classifier, or will another's do?": ("foreign", "frozen"),
    "Does it take a teacher's rows at all?": ("random", "frozen"),
    "Will equal angles do?": ("simplex", "frozen"),
    "Does it help to be drawn to W<sub>t</sub>?": ("pulled", "kd"),
    "Does it harm to be kept away from W<sub>t</sub>?": ("pushed", "kd"),
    "Do features do in place of answers, copied straight?": ("straight", "kd"),
    "Does a projector help to copy them?": ("projected", "straight"),
    "And W<sub>t</sub> behind it, in place of a classifier of its own?": ("simkd", "projected"),
}


# -------------------------------------------------------------------------------------------------------- seed by seed
@exhibit(
    "interventions-paired",
    "Test accuracy of each intervention less that of KD of the same seed, with intervals over seeds.",
    step="study",
)
def paired(studies: Mapping[str, Study]) -> Exhibit:
    """Test accuracy less that of KD of the same seed, in points, a figure a study: a dot a seed, the mean."""
    figures = {name: _paired(study) for name, study in studies.items()}
    return Exhibit(figures, answer=paired_sentence(studies))


def _paired(study: Study) -> go.Figure:
    by_label = against_kd(study).groupby("label", sort=False)["points"]
    found = {str(label): estimate(points) for label, points in by_label}
    fig = intervals.rows(found, "accuracy less KD's", "diamond")
    fig.update_xaxes(title_text="accuracy less KD's (points)").update_layout(margin_l=90)
    return style.captioned(fig, study, "same seed; 95% over seeds", beside_kd(study) or study.students)


def paired_sentence(studies: Mapping[str, Study]) -> str:
    """Which differences to KD have an interval over seeds that leaves out zero, study by study."""
    parts = []
    for name, study in studies.items():
        means = against_kd(study).groupby("label", sort=False)["points"]
        found = {str(label): one for label, part in means if len((one := estimate(part)).values) >= stats.LEAST_RUNS}
        ends = {f"{label} ({words.number(one.mean, '{:+.2f}')})": one for label, one in found.items()}
        parts += [f"on {name} for {intervals.off_zero(ends, 'student')}"] if ends else []
    if not parts:
        return "**It cannot be told: no intervention has three seeds that KD has as well.**"
    return f"**Beside KD (points), with three seeds, the interval leaves out zero {'; '.join(parts)}.**"


# ------------------------------------------------------------------------------------------------------------- answers
@exhibit("questions", "A row a question: the difference in test accuracy, and its interval, that answers it.")
def asked(studies: Mapping[str, Study]) -> Exhibit:
    """Each question and its answer, a column a study."""
    return Exhibit(None, answer=answers_sentence(studies), table=answers(studies))


def answers(studies: Mapping[str, Study]) -> str:
    """QUESTIONS with the difference in accuracy that answers each, and both final mus; empty without any."""
    rows = []
    for question, pair in QUESTIONS.items():
        cells = {name: _answer(study, *pair) for name, study in studies.items()}
        if any(cells.values()):
            compared = " − ".join(LABELS.get(method, method) for method in pair)
            rows.append({"question": question, "compared": compared} | {n: c or "–" for n, c in cells.items()})
    return style.table(pd.DataFrame(rows), "questions and differences", escape=False) if rows else ""


def _answer(study: Study, one: str, other: str) -> str:
    if not (points := differences(study, one, other)):
        return ""
    pair = [[run for run in group(study, name) if run.spec.init_seed in points] for name in (one, other)]
    told = [design.said(points, "{:+.2f}")]
    for column, name in (("mu_raw", "raw"), ("mu_rotated", "rotated")):
        told.append(
            f"<small>{name} μ {' beside '.join(number(by_method.mean(column, runs), '.3g') for runs in pair)}</small>"
        )
    return "<br>".join(told)


def answers_sentence(studies: Mapping[str, Study]) -> str:
    """Of how many questions the interval leaves out zero on each study, and of which two methods."""
    parts = []
    for name, study in studies.items():
        found = {pair: estimate(100 * d for d in differences(study, *pair).values()) for pair in QUESTIONS.values()}
        enough = {pair: one for pair, one in found.items() if len(one.values) >= stats.LEAST_RUNS}
        less = {f"{LABELS.get(one, one)} − {LABELS.get(other, other)}": by for (one, other), by in enough.items()}
        parts += [f"on {name} for {intervals.off_zero(less)}"] if less else []
    if not parts:
        return "**It cannot be told: no question has three seeds here.**"
    return f"**Of the questions with three seeds the interval leaves out zero {'; '.join(parts)}.**"
