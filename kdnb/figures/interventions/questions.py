"""What the interventions answer: each question is the difference between two of them, seed by seed."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import by_method, design
from kdnb.analysis.interventions import differences, group
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.methods.table import number

LABELS = {"kd": "KD T=4", "simkd": "SimKD"}
# What is asked, and the two methods whose difference answers it.
QUESTIONS = {
    "Does it cost to hear nothing of the teacher?": ("normal", "kd"),
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


@exhibit(
    "questions",
    "A row a question: the test accuracy of one student less that of another of the same seed, with intervals over "
    "seeds.",
    step="study",
)
def asked(studies: Mapping[str, Study]) -> Exhibit:
    """The difference that answers each question, in points, a figure a study: a dot a seed, and the mean."""
    figures = {name: _asked(study) for name, study in studies.items()}
    table = answers(studies)
    folded = style.folded("Each question in numbers", table) if table else ""
    return Exhibit(figures, answer=answers_sentence(studies), table=folded)


def _asked(study: Study) -> go.Figure:
    there = _estimates(study)
    fig = intervals.rows({compared(*pair): one for pair, one in there.items()}, "difference in accuracy", "diamond")
    fig.update_xaxes(title_text="difference in accuracy (points)").update_layout(margin_l=150)
    shown = dict.fromkeys(name for pair in there for name in pair)
    runs = [run for name in shown for run in group(study, name)]
    return style.captioned(fig, study, "same seed; 95% over seeds", runs or study.students)


def _estimates(study: Study) -> dict[tuple[str, str], Estimate]:
    """What answers each question, in points, by its two methods; without those that no seed answers."""
    found = {pair: estimate(100 * d for d in differences(study, *pair).values()) for pair in QUESTIONS.values()}
    return {pair: one for pair, one in found.items() if one.values}


def compared(one: str, other: str) -> str:
    """The two methods of a question as a difference."""
    return " − ".join(LABELS.get(method, method) for method in (one, other))


def answers(studies: Mapping[str, Study]) -> str:
    """QUESTIONS with the difference in accuracy that answers each, and both final mus; empty without any."""
    rows = []
    for question, pair in QUESTIONS.items():
        cells = {name: _answer(study, *pair) for name, study in studies.items()}
        if any(cells.values()):
            told = {"question": question, "compared": compared(*pair)}
            rows.append(told | {name: cell or "–" for name, cell in cells.items()})
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
        enough = {pair: one for pair, one in _estimates(study).items() if one.enough}
        less = {compared(*pair): by for pair, by in enough.items()}
        parts += [f"on {name} for {intervals.off_zero(less)}"] if less else []
    if not parts:
        return "**It cannot be told: no question has three seeds here.**"
    return f"**Of the questions with three seeds the interval leaves out zero {'; '.join(parts)}.**"
