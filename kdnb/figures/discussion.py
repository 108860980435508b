"""This book's own statements: all in one table, and some drawn, with what becomes of each by study."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import nearer, over_seeds, words
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.students import HOT
from kdnb.analysis.study import Study
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import Claim, Verdict, Word, reach, verdict
from kdnb.figures import claim_words, claims, intervals, style
from kdnb.figures.account import through_time
from kdnb.figures.alignment import ladder, plug_in, terms
from kdnb.figures.correlation import norms
from kdnb.figures.exhibit import Exhibit, Maker, exhibit
from kdnb.figures.geometry import class_distances, stitching
from kdnb.figures.interventions import handed_on, questions
from kdnb.figures.methods import ablations, class_rows
from kdnb.figures.mu_curves import over_epochs
from kdnb.figures.statistics import over_seeds as drawn_over_seeds

# The exhibit that has each statement's details.
SHOWN: Mapping[str, Maker[...]] = {
    "S1": terms.norm_and_angle,
    "S2": drawn_over_seeds.differences,
    "S3": through_time.excess_by_temperature,
    "S4": ladder.sides,
    "S5": plug_in.plugged,
    **dict.fromkeys(("S6", "S7", "S8"), questions.asked),
    "S9": ablations.high_temperature,
    "S10": class_distances.separations,
    "S11": class_distances.agreements,
    "S12": stitching.accuracies,
    "S13": norms.by_temperature,
}
# The exhibit that has each measure of :mod:`kdnb.analysis.nearer` in full.
NEARER_IN: Mapping[str, Maker[...]] = dict(
    zip(
        nearer.MEASURES,
        (
            *(ladder.sides, over_epochs.curves, ladder.sides, ladder.sides, through_time.excess_by_temperature),
            *(plug_in.plugged, stitching.accuracies, handed_on.of_its_owner, class_distances.agreements),
            class_rows.likeness,
        ),
        strict=True,
    )
)
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


def studies(chosen: StudiesParameters) -> dict[str, Study]:
    """The published studies with all that a statement reads: every method, and temperatures beyond the paper's."""
    return chosen.studies(temperatures=[*range(1, 11), HOT])


def tested(found: Mapping[str, Study]) -> dict[str, dict[str, Verdict]]:
    """Every statement's outcome by its id and the study's name, from all seeds of the study's runs."""
    seeds = {name: study.seeds for name, study in found.items()}
    return {one.id: {name: verdict(one, mine) for name, mine in seeds.items()} for one in STATEMENTS}


# How a statement's question is answered on a study.
WORDS: Mapping[Word, str] = {
    "holds": "yes",
    "does not hold": "no",
    "undecided": "undecided",
    "too few seeds": "too few seeds",
    "cannot be said": "not measured",
}


def answer(outcomes: Mapping[str, Verdict]) -> str:
    """What becomes of the statement on each study, in Markdown; its numbers stand in the table and in the figure."""
    return words.sentence(style.together((WORDS[found.verdict], name) for name, found in outcomes.items()))


def _open(one: Claim[Study], found: Verdict) -> str:
    """Where the seeds do not decide, how wide their interval is, and how wide it may be at most."""
    if found.verdict != "undecided":
        return ""
    form = one.measure.form.replace("+", "")
    reached, needed = (words.number(width, form) for width in reach(found.asked))
    return f"; ±\u00a0{reached}, needed ±\u00a0{needed}"


def _quoted(one: Claim[Study], found: Verdict) -> dict[str, Sequence[float]]:
    return {text: found.values[text] for text in one.quoted if text in found.values}


def _estimate(one: Claim[Study], values: Sequence[float]) -> Estimate:
    known = [value for value in values if np.isfinite(value)]
    return Estimate(known, one.measure.mean(known), *(one.measure.interval(known) or (np.nan, np.nan)))


def _mean(one: Claim[Study], found: Estimate) -> str:
    """The mean over seeds, and its 95% interval where there is one."""
    mean, low, high = map(one.measure.write, (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]" if np.isfinite(found.low) else mean


@exhibit(
    "statement-{of}",
    "A row for each number of a statement: mean, 95% interval and seeds, a colour for each study.",
)
def statement(name: str, outcomes: Mapping[str, Mapping[str, Verdict]], studies: Mapping[str, Study]) -> Exhibit:
    """The statement of that id: its numbers on each study, and what becomes of it."""
    one = next(one for one in STATEMENTS if one.id == name)
    drawn = _figure(one, outcomes[name], studies) if any(found.values for found in outcomes[name].values()) else None
    return Exhibit(drawn, missing(outcomes[name]), answer(outcomes[name]), of=name.lower())


def missing(outcomes: Mapping[str, Verdict]) -> str:
    """Which studies are not in the figure, and what they lack."""
    lacking = {name: found.missing for name, found in outcomes.items() if not found.seeds}
    return "".join(f"Not drawn: {name}, which lacks {words.typeset(what)}. " for name, what in lacking.items()).strip()


def _figure(one: Claim[Study], outcomes: Mapping[str, Verdict], shown_of: Mapping[str, Study]) -> go.Figure:
    """The statement's numbers, a row each, a colour a study: mean, 95% interval over seeds, seeds as small rings."""
    texts = list(dict.fromkeys(text for found in outcomes.values() for text in found.values))
    fig = style.grid(1, 1, height=150 + 44 * len(texts))
    known = [name for name, found in outcomes.items() if found.values]
    for place, name in enumerate(outcomes):  # a study keeps its colour and its line where others are missing
        if name in known:
            offset = (place - (len(outcomes) - 1) / 2) * 0.26
            fig.add_traces(_marks(one, name, outcomes[name], texts, place, offset))
    fig.add_vline(0, line={"color": style.QUIET, "width": 1})
    # In lines that leave room for the figure on a phone.
    wrapped = [textwrap.wrap(text, 20, break_long_words=False, break_on_hyphens=False) for text in texts]
    broken = [words.typeset("<br>".join(lines)) for lines in wrapped]
    rows = {"tickvals": list(range(len(texts))), "ticktext": broken}
    fig.update_yaxes(range=[len(texts) - 0.4, -0.6], **rows)
    # Accuracies may lie within a point of each other.
    ticks = style.shares(".0%" if ".0%" in one.measure.form else ".1%") if "%" in one.measure.form else {}
    fig.update_xaxes(title_text=words.typeset(one.measure.text), **ticks)
    fig.update_layout(margin_l=130)
    shown = [run for name in known for run in shown_of[name].shown]
    text = f"mean over seeds, 95%: {style.joined(known)}"
    return style.titled(fig, text, shown)


def _marks(
    one: Claim[Study], name: str, found: Verdict, texts: Sequence[str], place: int, offset: float
) -> list[go.Scatter]:
    """The means with their intervals, and the seeds behind them."""
    rows = {text: found.values[text] for text in texts if text in found.values}
    estimates = {text: _estimate(one, values) for text, values in rows.items()}
    look = {"color": style.COLORWAY[place % len(style.COLORWAY)], "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 10}
    traces = intervals.points(estimates, name, "", look, partial(_mean, one))
    return intervals.turned(traces, {intervals.short(text): texts.index(text) + offset for text in rows})


@exhibit("statements", "A row a statement, a cell a study: what became of it, its numbers and its seeds.")
def overview(found: Mapping[str, Mapping[str, Verdict]], studies: Mapping[str, Study]) -> Exhibit:
    """All statements, counted and in one table; below it, folded, when each of them holds."""
    return Exhibit(None, pairs(studies), summary(found), as_html(found) + rules())


def pairs(studies: Mapping[str, Study]) -> str:
    """On how many ordered pairs of teacher and bystander each study's statements rest, from its students' specs."""
    found: dict[int, list[str]] = {}
    for name, study in studies.items():
        both = [(run.spec.teacher, run.spec.bystander) for run in study.every]
        known = {(one["checksum"], other["checksum"]) for one, other in both if one and other}
        found.setdefault(len(known), []).append(name)
    told = [f"{words.counted(count, 'pair')} on {style.joined(names)}" for count, names in found.items() if count]
    text = f"Own and other teacher are {'; '.join(told)}: what is said of *this* teacher is about these networks alone."
    return text if told else ""


def as_html(found: Mapping[str, Mapping[str, Verdict]]) -> str:
    """Every statement with a link to its figure; below it a cell a study: mark, numbers, seeds."""
    rows = "".join(_row(one, found[one.id]) for one in STATEMENTS)
    return claims.table(list(next(iter(found.values()))), rows, "The statements and how they fare")


def _row(one: Claim[Study], outcomes: Mapping[str, Verdict]) -> str:
    shown = SHOWN[one.id]
    link = f'<a href="{claims.address(shown, next(iter(outcomes)))}">chapter {int(shown.chapter[:2])}</a>'
    title = words.typeset(html.escape(one.title))
    head = f'{one.id}&ensp;{title} <small style="font-weight:normal">· figure in {link}</small>'
    return claims.row(head, [_cell(one, found) for found in outcomes.values()])


def _cell(one: Claim[Study], found: Verdict) -> str:
    numbers = [f"{html.escape(text)}: {one.measure.over_seeds(values)}" for text, values in _quoted(one, found).items()]
    told = f"{words.typeset('; '.join(numbers))}; n = {len(found.seeds)}{_open(one, found)}"
    return f"{found.sign}<br><small>{told}</small>" if numbers else found.sign


@exhibit("nearer", "A row a measure, a cell a study: whether KD's student is nearer to its teacher, and by how much.")
def nearer_to_its_teacher(studies: Mapping[str, Study]) -> Exhibit:
    """Every chapter's measure of it in one table, a link each, a column a study."""
    found = {name: nearer.found(study) for name, study in studies.items()}
    answer = words.sentence("; ".join(_measures(*one) for one in found.items()))
    rows = []
    for measure, shown in NEARER_IN.items():
        link = f'<a href="{claims.address(shown, next(iter(found)))}">chapter {int(shown.chapter[:2])}</a>'
        cells = {f"{name} ({_seeds(one)})": _nearness(one[measure]) for name, one in found.items()}
        rows.append({"nearer by": words.typeset(measure), "figure in": link} | cells)
    return Exhibit(None, "", answer, style.table(pd.DataFrame(rows), "is the student nearer", escape=False))


def _measures(name: str, found: Mapping[str, nearer.Found]) -> str:
    """By how many measures it is nearer to its teacher, of those that three seeds have, in a clause."""
    known = [one for one in found.values() if one.own.enough]
    return f"on {name} by {over_seeds.off_zero([one.decisive for one in known], 'measure', 1)}"


def _nearness(one: nearer.Found) -> str:
    if not one.answer:
        return "–"
    return f"{one.answer}<br><small>{words.number(one.own.mean, '{:+z.2g}')}</small>"


def _seeds(found: Mapping[str, nearer.Found]) -> str:
    return words.span([len(one.own.values) for one in found.values() if one.own.values] or [0], "seed")


def rules() -> str:
    """When each statement holds, and how often a word is said wrongly, folded."""
    rows = "".join(f"<li><strong>{one.id}</strong> {html.escape(one.text)}</li>" for one in STATEMENTS)
    listed = f'<ul style="list-style:none;padding:0">{words.typeset(rows)}</ul><p>{claim_words.errors()}</p>'
    return claims.framed(style.folded("When does a statement hold?", listed))


def summary(found: Mapping[str, Mapping[str, Verdict]]) -> str:
    """How many of the statements hold on each study, in a bold sentence."""
    parts = []
    for name in next(iter(found.values())):
        answers = [outcomes[name].verdict for outcomes in found.values()]
        counts = {word: answers.count(word) for word in WORDS if word in answers}
        said = [f"{count} {COUNTED[word][count > 1]}" for word, count in counts.items()]
        parts.append(f"on {name} {', '.join(said)}")
    return f"**Of the {len(found)} statements, {'; '.join(parts)}.**"


# Of one statement, and of several.
COUNTED: Mapping[Word, tuple[str, str]] = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not", "do not"),
    "undecided": ("is undecided", "are undecided"),
    "too few seeds": ("has too few seeds", "have too few seeds"),
    "cannot be said": ("lacks its runs", "lack their runs"),
}
