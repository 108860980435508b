"""What the interventions answer: each question is the difference between two of them, seed by seed."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdnb.analysis import by_method, stats, words
from kdnb.analysis.by_method import short
from kdnb.analysis.interventions import LOOKS, against_kd, differences, group
from kdnb.analysis.selection import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.methods import table as methods_table
from kdnb.figures.methods.table import interval, number

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
    "Do features do in place of answers, matched straight?": ("straight", "kd"),
    "Does a projector help to match them?": ("projected", "straight"),
    "And W<sub>t</sub> behind it, in place of a classifier of its own?": ("simkd", "projected"),
}
# What each of them is compared with.
REFERENCES: dict[str, list[str]] = {}
for _one, _other in QUESTIONS.values():
    REFERENCES.setdefault(_other, []).append(_one)


@exhibit("questions-{of}", "A row a question: the difference in test accuracy, and its interval, that answers it.")
def asked(study: Study) -> Exhibit:
    """Each question and its answer."""
    return Exhibit(None, answers_sentence(study), f"**{study.folder.name}**", answers(study), of=study.folder.name)


@exhibit("interventions-{of}", "Every intervention in numbers: accuracy and mu over seeds, features of one seed.")
def numbers(study: Study, looks: pd.DataFrame) -> Exhibit:
    """Every intervention in numbers; ``looks`` of `kdnb.analysis.interventions`."""
    return Exhibit(None, answer=f"**{study.folder.name}**", table=as_html(study, looks), of=study.folder.name)


def as_html(study: Study, table: pd.DataFrame) -> str:
    """Every intervention in numbers: accuracy and mu over seeds, ``table`` of `interventions.looks`, one seed."""
    found, kd = by_method.measured(study), against_kd(study).groupby("label", sort=False)["points"]
    rows = []
    for name, row in found.to_dict("index").items():
        points = kd.get_group(name).to_numpy(float) if name in kd.groups else np.array([])
        looked = {str(column): float(value) for column, value in table.loc[[str(name)]].iloc[0].items()}
        cells = {"intervention": name, "seeds": f"{row['seeds']:.0f}"}
        cells |= {"test accuracy": interval(row["accuracy"], row["low"], row["high"]), "points to KD": spread(points)}
        cells |= methods_table.distances({str(column): float(value) for column, value in row.items()})
        cells |= {title: number(looked[column], ".3g") for column, title in LOOKS.items() if column != "mu_rotated"}
        rows.append(cells)
    return methods_table.small(style.table(pd.DataFrame(rows), "interventions"))


def spread(points: ArrayLike) -> str:
    """The mean of differences by seed, with half the width of its interval where there are three."""
    values = np.asarray(points, float)
    if not values.size:
        return "–"
    return f"{values.mean():+.2f}{words.plus_minus(*stats.mean_interval(values), '{:.2f}')}"


def answers(study: Study) -> str:
    """QUESTIONS with the difference in accuracy that answers each, and both final mus; empty without any."""
    rows = [row for question, pair in QUESTIONS.items() if (row := _answer(study, question, *pair))]
    if not rows:
        return ""
    return style.table(pd.DataFrame(rows), "questions and differences", escape=False)


def _answer(study: Study, question: str, one: str, other: str) -> dict[str, str]:
    if not (points := differences(study, one, other)):
        return {}
    first, second = ([run for run in group(study, name) if run.spec.init_seed in points] for name in (one, other))
    cells = {"question": question, "compared": f"{short(first[0])} − {short(second[0])}", "seeds": str(len(points))}
    cells["accuracy, points"] = spread([100 * value for value in points.values()])
    for column, title in (("mu_raw", "final raw μ"), ("mu_rotated", "final rotated μ")):
        cells[title] = " beside ".join(number(by_method.mean(column, runs), ".3g") for runs in (first, second))
    return cells


def answers_sentence(study: Study) -> str:
    """The same in words: what each intervention's mu and accuracy are beside those of what it is compared with."""
    parts = []
    for other, ones in REFERENCES.items():
        told = []
        for one in ones:
            if points := differences(study, one, other):
                run = group(study, one)[0]
                end = f"ends at μ = {_final_mu(study, one)}" if by_method.has_mu(run) else "has no μ"
                told.append(f"*{short(run)}* {end}, {spread([100 * value for value in points.values()])} points")
        if told:
            against = f"**{short(group(study, other)[0])}** (final raw μ {_final_mu(study, other)})"
            parts.append(f"Against {against}: {'; '.join(told)}.")
    if not parts:
        return "No two of the interventions were trained here with the same seed."
    return f"{' '.join(parts)} Points are of test accuracy, of the same seed.{_worth(study)}"


def _final_mu(study: Study, method: str) -> str:
    return number(by_method.mean("mu_raw", group(study, method)), ".3g")


def _worth(study: Study) -> str:
    """How much of a difference between two runs is luck with test images alone."""
    size, kd = study.students[0].test_images, study.nearest(by_method.TEMPERATURE)
    if size is None or kd is None:
        return ""
    p = kd.last("test_accuracy")
    error = 100 * np.sqrt(p * (1 - p) / size)
    return f" The standard error of one accuracy of {p:.1%} on {size:,} images is {error:.2f} points."
