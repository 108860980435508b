"""Own teacher less another's, over every ordered pair of several teachers."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import crossed, stats, words
from kdnb.analysis.over_seeds import Estimate, estimate, more_than_chance
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

KD = "KD T=4"
TITLES = {
    "classifier_cosine": "cosine of the classifiers",
    "mu_matched": "μ matched",
    "mu_rotated": "μ rotated",
    "plug_in_accuracy_matched": "matched plug-in accuracy",
    "cka": "CKA",
    "agreement": "agreement of answers",
}


@exhibit(
    "crossed", "Own teacher less another, six measures, a dot for each ordered pair of teachers, means.", step="study"
)
def own_less_other(studies: Sequence[Study]) -> Exhibit:
    """A panel a measure: own less other, a dot an ordered pair, the mean over the teachers with its interval."""
    found = [(study, table) for study in studies if not (table := crossed.contrasts_of(study)).empty]
    if not found:
        return Exhibit(
            answer="**It cannot be told: no students like these were compared over several pairs of teachers.**"
        )
    figures = {study.name: _panels(study, table) for study, table in found}
    drawn = figures if len(figures) > 1 else next(iter(figures.values()))
    answer, brief = (
        words.sentence("; ".join(say(study.name, table) for study, table in found)) for say in (_sentence, _brief)
    )
    return Exhibit(drawn, answer=answer, brief=brief)


def _panels(study: Study, found: pd.DataFrame) -> go.Figure:
    fig = style.grid(3, 2, list(TITLES.values()), 760, vertical_spacing=0.11, horizontal_spacing=0.12)
    for place, column in enumerate(TITLES):
        row, col = place // 2 + 1, place % 2 + 1
        part = found[found["measure"] == column]
        names = [f"teacher {t}, other {b}" for t, b in zip(part["teacher"], part["bystander"], strict=True)]
        dots = go.Scatter(
            x=[*map(intervals.short, part["label"])], y=style.significant(part["nearer"]), mode="markers", text=names
        )
        dots.update(marker={"size": 5, "color": style.OTHER}, hovertemplate="%{text}: %{y:+.3g}<extra></extra>")
        fig.add_trace(dots.update(name="an ordered pair of teachers", showlegend=not place), row, col)
        nearer = {label: estimate(values) for label, values in crossed.by_teacher(part).items()}
        _, means = intervals.points(nearer, "mean over the teachers", "", {"color": style.TEACHER})
        fig.add_trace(means.update(showlegend=not place), row, col)
        fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=row, col=col)
    # Normal training, then KD by rising temperature.
    ordered = sorted(found["label"].unique(), key=lambda label: float(label.partition("T=")[2] or 0))
    fig.update_xaxes(categoryorder="array", categoryarray=[*map(intervals.short, ordered)])
    fig.update_layout(legend={"orientation": "h", "y": -0.06, "yanchor": "top", "x": 0}, margin_b=80)
    title = f"{study.name}\u00a0· mean over {_seeds(found)}\u00a0· 95% over {_teachers(found)}"
    by_pair = zip(found["label"], found["seeds"], strict=True)
    compared = {(label, seed) for label, seeds in by_pair for seed in seeds}
    drawn = [run for run in study.shown if (run.label, run.spec.init_seed) in compared]
    return style.titled(fig, title, drawn, study.teacher)


def _teachers(found: pd.DataFrame) -> str:
    return words.counted(found["teacher"].nunique(), "teacher")


def _seeds(found: pd.DataFrame) -> str:
    return words.span(found["seeds"].map(len), "seed")


def read(found: pd.DataFrame) -> dict[str, Estimate]:
    """How much nearer KD's students are to the own teacher, by measure, over the teachers."""
    values = {str(column): crossed.by_teacher(part).get(KD, []) for column, part in found.groupby("measure")}
    return {column: estimate(values[column]) for column in TITLES if values.get(column)}


def _sentence(name: str, found: pd.DataFrame) -> str:
    word = _word(found)
    return f"{word} on {name}: {told(found)}" if word else f"on {name} {told(found)}"


def _brief(name: str, found: pd.DataFrame) -> str:
    if not (word := _word(found)):
        return f"on {name} {told(found)}"
    sides = [one.side > 0 for one in read(found).values()]
    return f"{word} on {name}, in {sum(sides)} of {words.counted(len(sides), 'measure')} ({over(found)})"


def _word(found: pd.DataFrame) -> str:
    """Whether KD's students are nearer to the own teacher; empty where it cannot be told."""
    there = read(found).values()
    if not any(one.enough for one in there):
        return ""
    beyond = "yes" if more_than_chance(there) else "not beyond chance"
    return beyond if any(one.side > 0 for one in there) else "not seen"


def over(found: pd.DataFrame) -> str:
    """What the contrasts are over: "5 teachers in 20 ordered pairs, 2 seeds each"."""
    pairs = words.counted(len(found.groupby(crossed.PAIR)), "ordered pair")
    return f"{_teachers(found)} in {pairs}, {_seeds(found)} each"


def told(found: pd.DataFrame) -> str:
    """What of KD's students is nearer to the own teacher, over the teachers, in a clause."""
    there = {TITLES[column]: one for column, one in read(found).items()}
    pairs = over(found)
    if not there:
        return f"it cannot be told of {KD} ({pairs})"
    if not any(one.enough for one in there.values()):
        return f"it cannot be told of {pairs}: an interval needs {stats.LEAST_RUNS} teachers"
    near, far = ([f"{name} {one.told('{:+.2g}')}" for name, one in there.items() if one.side == s] for s in (1, -1))
    nearer = (
        f"{len(near) or 'none'} of {words.counted(len(there), 'measure')}{near and f', {style.joined(near)}' or ''}"
    )
    farther = f", farther in {style.joined(far)}" if far else ""
    return f"{KD} is nearer to its own in {nearer}{farther} ({pairs})"
