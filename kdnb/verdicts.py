"""How a claim's parts, judged seed by seed, become one verdict. The claims themselves: :mod:`kdnb.claims`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdnb.evidence import Missing, Sweep

Word = Literal["reproduced", "partly", "not reproduced", "not testable"]
Parts = Mapping[str, bool]
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Claim:
    """One claim: what the paper says and where, how one seed is judged, how many parts make "partly", the sentence."""

    id: str
    text: str
    figure: str
    judge: Callable[[Sweep], tuple[Parts, Numbers]]
    enough: int
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Outcome of one claim; ``evidence``: means over seeds, and n; ``parts``: in how many seeds each part held."""

    id: str
    text: str
    figure: str
    verdict: Word
    evidence: Numbers
    parts: Mapping[str, int]
    sentence: str


def verdict(claim: Claim, by_seed: Sequence[Sweep]) -> Verdict:
    """Judge ``claim`` on every seed that has the runs it needs, and sum up."""
    found: list[tuple[Parts, Numbers]] = []
    missing = "at least one student"
    for sweep in by_seed:
        try:
            found.append(claim.judge(sweep))
        except Missing as reason:
            missing = str(reason)
    if not found:
        return Verdict(claim.id, claim.text, claim.figure, "not testable", {"n": 0}, {}, f"It needs {missing}.")
    evidence = {name: float(np.mean([numbers[name] for _, numbers in found])) for name in found[0][1]}
    parts = {name: sum(bool(held[name]) for held, _ in found) for name in found[0][0]}
    word = _word([sum(map(bool, held.values())) for held, _ in found], len(parts), claim.enough)
    sentence = _sentence(claim, evidence, parts, len(found))
    return Verdict(claim.id, claim.text, claim.figure, word, evidence | {"n": len(found)}, parts, sentence)


def _word(held: Sequence[int], every: int, enough: int) -> Word:
    if all(count == every for count in held):
        return "reproduced"
    return "partly" if any(count >= enough for count in held) else "not reproduced"


def _sentence(claim: Claim, evidence: Numbers, parts: Mapping[str, int], n: int) -> str:
    held = "; ".join(f"{name}: {count} of {n}" for name, count in parts.items())
    return f"{claim.sentence.format(**evidence)} Seeds in which it held: {held}."
