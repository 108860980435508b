"""Does reuse help here at all? Row by row of the design, beside a classifier of its own, then without distillation."""

from collections.abc import Mapping

import pandas as pd

from kdnb.analysis import design, words
from kdnb.analysis.design import Place
from kdnb.analysis.over_seeds import Estimate, more_than_chance
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.interventions.design import POINTS

# What is learned: there W_t is held against a student's own classifier on nothing else than the same.
ROWS = {
    "answers": "answers and labels",
    "labels": "labels alone",
    "maps": "features copied straight",
    "projected": "features copied through a projector",
}
QUESTION = "Does reuse help here at all?"
UNSEEN = "not seen"
OWN, GIVEN, NORMAL = ("answers", "own"), ("labels", "W_t"), ("labels", "own")
# What the copied features do, without reuse; and the two gains of labels alone beside each other.
BESIDE: Mapping[str, tuple[Place, Place]] = {
    "features copied straight − KD: own classifiers": (("maps", "own"), OWN),
    "features copied through a projector − KD: own classifiers": (("projected", "own"), OWN),
    "labels alone, W<sub>t</sub> − KD, own classifier": (GIVEN, OWN),
}


def helped(studies: Mapping[str, Study]) -> str:
    """:func:`answer` in bold; the numbers folded."""
    if not (told := answer(studies)):
        return "**Whether reuse helps here cannot be told: no student of these has W<sub>t</sub>.**"
    table = style.folded("In numbers", style.table(_numbers(studies), "what reuse gains, in points", escape=False))
    return f"**{QUESTION} {told}.**\n\n{table}"


def answer(studies: Mapping[str, Study]) -> str:
    """What QUESTION is answered: W_t beside a classifier of its own, whatever is learned; empty without any."""
    found = {name: gaps for name, study in studies.items() if (gaps := beside_own(study))}
    answers = "; ".join(f"on {name} {_whether(gaps)}" for name, gaps in found.items())
    said = "W<sub>t</sub> beside a classifier of its own, what is learned being equal"
    return f"{said}: {answers}" if found else ""


def beside_own(study: Study) -> dict[str, Estimate]:
    """By ROWS, points with W_t less those with its own classifier; those that were trained."""
    cells = design.cells(study.every)
    gaps = {name: design.less(cells, (row, "W_t"), (row, "own")) for row, name in ROWS.items()}
    return {name: gap for name, gap in gaps.items() if gap.values}


def _numbers(studies: Mapping[str, Study]) -> pd.DataFrame:
    """A row a difference, a column a study."""
    columns = {}
    for name, study in studies.items():
        cells = design.cells(study.every)
        gaps = {f"{row}: W<sub>t</sub> − own classifier": gap for row, gap in beside_own(study).items()}
        gaps |= {beside: design.less(cells, *pair) for beside, pair in BESIDE.items()}
        columns[name] = {what: gap.told(POINTS) for what, gap in gaps.items() if gap.values}
    return pd.DataFrame(columns).fillna("–").reset_index(names="test accuracy, points")


def _whether(gaps: Mapping[str, Estimate]) -> str:
    """In which rows W_t is above an own classifier and in which below, where that is beyond chance."""
    enough = {row: gap for row, gap in gaps.items() if gap.enough}
    if not enough:
        return "too few seeds"
    off = {row: gap for row, gap in enough.items() if gap.side}
    if not more_than_chance(enough.values()):
        return f"not beyond chance ({len(off)} of {len(enough)} intervals)" if off else UNSEEN
    parts = []
    for side, word in ((1, "yes with"), (-1, "it costs with")):
        if rows := [f"{row} ({words.number(gap.mean, POINTS)})" for row, gap in off.items() if gap.side == side]:
            parts.append(f"{word} {style.joined(rows)}")
    return ", but ".join(parts)


def undistilled(studies: Mapping[str, Study]) -> str:
    """What W_t gives to labels alone, study by study; where it gains, what distillation gives beside and on top of it.

    It gains where its interval is above zero, and those of :func:`beside_own` are more than chance explains.
    """
    parts: dict[bool, list[str]] = {True: [], False: []}
    for name, study in studies.items():
        gaps = beside_own(study)
        if (gain := gaps.get(ROWS["labels"])) is not None:
            sure = gain.side > 0 and more_than_chance(gaps.values())
            so = "yes" if sure else {1: "not beyond chance", 0: UNSEEN, -1: "no, it is lower"}[gain.side]
            parts[sure].append(f"on {name} {so}, {gain.told(POINTS)}{_more(study, sure)}")
    told = [*parts[True], *(["; ".join(parts[False])] if parts[False] else [])]
    if not told:
        return "**Whether W<sub>t</sub> helps without distillation cannot be told: no student of these has it.**"
    return f"**Does W<sub>t</sub> help without distillation? {'. '.join(map(words.capital, told))}.**"


def _more(study: Study, sure: bool) -> str:
    """The control that starts at W_t; of a sure gain also the teacher's answers beside and on top, and W_o."""
    cells = design.cells(study.every)

    def told(what: str, one: Place, other: Place) -> str:
        gap = design.less(cells, one, other)
        return f"{what} {gap.told(POINTS)}{'' if gap.side else f', {UNSEEN}'}" if gap.values else ""

    control = told(", started there and trained", ("labels", "started"), NORMAL)
    if not sure:
        return control
    parts = [
        told("distillation gives", OWN, NORMAL),
        told("on top of W<sub>t</sub> it adds", ("answers", "W_t"), GIVEN),
        told("W<sub>o</sub> less W<sub>t</sub>:", ("labels", "W_o"), GIVEN),
    ]
    start = control or f", where a head start in {study.epochs} epochs is not excluded"
    return "; ".join([start, *filter(None, parts)])
