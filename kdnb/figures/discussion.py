"""This book's own statements, each with the figure that carries it and what becomes of it by study."""

import html
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import words
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import StudiesParameters, Study
from kdnb.analysis.students import HOT
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import MARKS, Claim, Verdict, verdict
from kdnb.figures import claims, intervals, origin, style
from kdnb.figures.account import through_time
from kdnb.figures.alignment import ladder, plug_in, terms
from kdnb.figures.correlation import norms
from kdnb.figures.exhibit import Exhibit, Maker, exhibit
from kdnb.figures.geometry import class_distances, stitching
from kdnb.figures.interventions import questions
from kdnb.figures.methods import ablations
from kdnb.figures.statistics import over_seeds

# The exhibit that has each statement's details.
SHOWN: Mapping[str, Maker[...]] = {
    "S1": terms.norm_and_angle,
    "S2": over_seeds.differences,
    "S3": through_time.excess_by_temperature,
    "S4": ladder.sides,
    "S5": plug_in.plugged,
    **dict.fromkeys(("S6", "S7", "S8"), questions.paired),
    "S9": ablations.high_temperature,
    "S10": class_distances.separations,
    "S11": class_distances.agreements,
    "S12": stitching.accuracies,
    "S13": norms.by_temperature,
}
COLORS = (style.TEACHER, style.NORMAL, "#009e73", "#cc79a7")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


def studies(chosen: StudiesParameters) -> dict[str, Study]:
    """The published studies with all that a statement reads: every method, and temperatures beyond the paper's."""
    return chosen.studies(temperatures=[*range(1, 11), HOT])


def tested(found: Mapping[str, Study]) -> dict[str, dict[str, Verdict]]:
    """Every statement's outcome by its id and the study's name, from all seeds of the study's runs."""
    seeds = {name: study.seeds for name, study in found.items()}
    return {one.id: {name: verdict(one, mine) for name, mine in seeds.items()} for one in STATEMENTS}


def answer(one: Claim[Study], outcomes: Mapping[str, Verdict]) -> str:
    """When the statement holds, and what becomes of it on each study, in Markdown."""
    lines = [f"*It holds when:* {one.text}", ""]
    for name, found in outcomes.items():
        seeds = words.counted(len(found.seeds), "seed")
        numbers = "; ".join(f"{text} {_mean(one, values)}" for text, values in found.values.items())
        said = f"**{found.verdict}** ({found.held} of {seeds}). {numbers}."
        if found.verdict == "cannot be said":
            said = f"cannot be said here; it needs {found.missing}."
        lines.append(f"- **{name}**: {MARKS[found.verdict]} {said}")
    return "\n".join(lines)


def _mean(one: Claim[Study], values: Sequence[float]) -> str:
    """The mean over seeds, and its 95 % interval where there is one."""
    mean, between = one.measure.over_seeds(values), one.measure.interval(values)
    return f"{mean} [{', '.join(map(one.measure.write, between))}]" if between else mean


@exhibit(
    "statement-{of}",
    "A row for each number of a statement: mean, 95 % interval and seeds, a colour for each study.",
)
def statement(name: str, outcomes: Mapping[str, Mapping[str, Verdict]], studies: Mapping[str, Study]) -> Exhibit:
    """The statement of that id: its numbers on each study, and what becomes of it."""
    one = next(one for one in STATEMENTS if one.id == name)
    return Exhibit(
        _figure(one, outcomes[name], studies),
        answer(one, outcomes[name]),
        heading(one, next(iter(studies))),
        of=name.lower(),
    )


def _figure(one: Claim[Study], outcomes: Mapping[str, Verdict], shown_of: Mapping[str, Study]) -> go.Figure:
    """The statement's numbers, a row each, a colour a study: mean, 95 % interval over seeds, seeds as small rings."""
    texts = list(dict.fromkeys(text for found in outcomes.values() for text in found.values))
    fig = style.grid(1, 1, height=150 + 44 * len(texts))
    known = [name for name, found in outcomes.items() if found.values]
    for place, name in enumerate(outcomes):  # a study keeps its colour and its line where others are missing
        if name in known:
            offset = (place - (len(outcomes) - 1) / 2) * 0.26
            fig.add_traces(_marks(one, name, outcomes[name], texts, place, offset))
    fig.add_vline(0, line={"color": style.QUIET, "width": 1})
    # In lines that leave room for the figure on a phone.
    broken = ["<br>".join(textwrap.wrap(text, 20, break_long_words=False, break_on_hyphens=False)) for text in texts]
    rows = {"tickvals": list(range(len(texts))), "ticktext": broken}
    fig.update_yaxes(range=[len(texts) - 0.4, -0.6], **rows)
    # Accuracies may lie within a point of each other.
    ticks = (".0%" if ".0%" in one.measure.form else ".1%") if "%" in one.measure.form else None
    fig.update_xaxes(title_text=one.measure.text, tickformat=ticks)
    fig.update_layout(margin_l=130)
    shown = [run for name in known or outcomes for run in shown_of[name].students]
    text = f"mean over seeds, 95 %: {style.joined(known)}" if known else "no study has the runs for this"
    return origin.mark(fig, shown, None).update_layout(title={"text": text, "font": {"size": 13}})


def _marks(
    one: Claim[Study], name: str, found: Verdict, texts: Sequence[str], place: int, offset: float
) -> list[go.Scatter]:
    """The means with their intervals, and the seeds behind them."""
    rows = {text: found.values[text] for text in texts if text in found.values}
    estimates = {
        text: estimate(values, interval=lambda values: one.measure.interval(values) or (np.nan, np.nan))
        for text, values in rows.items()
    }
    look = {"color": COLORS[place % len(COLORS)], "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 10}
    traces = intervals.points(estimates, name, "", look, lambda estimate: _mean(one, estimate.values))
    return intervals.turned(traces, {intervals.short(text): texts.index(text) + offset for text in rows})


def heading(one: Claim[Study], of: str) -> str:
    """The statement, and where its details are, in Markdown; ``of``: on which study."""
    shown = SHOWN[one.id]
    link = f'<a href="{claims.address(shown, of)}">chapter {int(shown.chapter[:2])}</a>'
    return f"**{html.escape(one.title)}.** In detail: {link}."


@exhibit("statements", "A row a statement, a column a study: a mark for what became of it.")
def overview(found: Mapping[str, Mapping[str, Verdict]]) -> Exhibit:
    """All statements, counted and in one table."""
    return Exhibit(None, summary(found), table=as_html(found))


def as_html(found: Mapping[str, Mapping[str, Verdict]]) -> str:
    """Every statement with its mark on every study, as a table to read."""
    rows = [
        {"": one.id} | {name: MARKS[of.verdict] for name, of in found[one.id].items()} | {"statement": one.title}
        for one in STATEMENTS
    ]
    return style.table(pd.DataFrame(rows), "the statements and how they fare")


def summary(found: Mapping[str, Mapping[str, Verdict]]) -> str:
    """How many of the statements hold on each study, in a sentence."""
    names = list(next(iter(found.values())))
    parts = []
    for name in names:
        answers = [outcomes[name].verdict for outcomes in found.values()]
        said = [f"{word} {answers.count(word)}" for word in MARKS if word in answers]
        parts.append(f"on **{name}** {', '.join(said)}")
    return f"Of the {len(found)} statements, {'; '.join(parts)}."
