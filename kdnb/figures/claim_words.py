"""The verdicts on one study in a sentence; claim by claim: :mod:`kdnb.figures.claims`."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from kdnb.analysis import stats, words
from kdnb.analysis.students import of_each_seed
from kdnb.analysis.study import Study
from kdnb.claims import chance, paper
from kdnb.claims.judge import Verdict, Word, verdict
from kdnb.figures import style
from kdnb.runs import Run

FOUND: Mapping[Word, str] = {
    "found here too": "Found here too",
    "partly": "Partly found here",
    "not found here": "Not found here",
    "not testable": "Cannot be told here",
}
MARGINS = 3  # as S10 has


def judged(study: Study) -> list[Verdict]:
    """Verdicts from all seeds and alphas at the chapter's weight decay."""
    return paper.judge(study.every)


def sentence(verdicts: Sequence[Verdict]) -> str:
    """How many of the paper's own claims fared how, and on how many seeds that rests."""
    own = paper.counted(verdicts)
    seeds = words.span([len(found.seeds) for found in own if found.seeds] or [0], "seed")
    return f"Of {len(own)} claims: {style.joined(paper.fared(own))}, on {seeds} each."


def found(study: Study, claim: str, beside: Iterable[Run] = ()) -> str:
    """What became of one claim, to begin a sentence with: "Found here too", "Partly found here".

    beside: whose numbers the sentence goes on with; it says on which seeds the claim was judged where these differ
    """
    judged, seeds = judge(study, claim), {run.spec.init_seed for run in beside}
    apart = bool(seeds and judged.seeds) and seeds != set(judged.seeds)
    return _opening(study, judged, style.seeds_of(judged.seeds) if apart else "")


def told(study: Study, claim: str) -> str:
    """What became of one claim, and the means of its numbers over seeds: a bold sentence."""
    judged = judge(study, claim)
    if not judged.seeds or not all(np.isfinite(value) for value in judged.evidence.values()):
        return f"**{FOUND['not testable']}: {judged.missing or 'its numbers are not defined'}.**"
    numbers = re.sub(r"-(?=\d)", "\u2212", judged.claim.sentence.format(**judged.evidence)).rstrip(".")
    seeds = words.counted(len(judged.seeds), "seed")
    return f"**{_opening(study, judged)}: {numbers[0].lower()}{numbers[1:]} ({seeds}).**"


def _opening(study: Study, judged: Verdict, seeds: str = "") -> str:
    """The verdict, and the epochs that it is about where the chapter leaves out others than the paper; its seeds."""
    papers = study.epochs // 2
    apart = bool(judged.seeds) and study.warm_up != papers
    of = [*([f"from epoch {papers + 1} on"] if apart else []), *([f"on {seeds}"] if seeds else [])]
    return FOUND[judged.verdict] + (f" (judged {', '.join(of)})" if of else "")


def judge(study: Study, claim: str) -> Verdict:
    """The verdict on one claim of the paper, of all seeds at the chapter's alpha."""
    asked = next(one for one in paper.CLAIMS if one.id == claim)
    return verdict(asked, of_each_seed(study.every, study.alpha))


def worth() -> str:
    """How often the words are said by chance, and of a claim that is true, by the number of seeds."""
    drawn = {
        f"nothing is there: {what} ({claim})": chance.nothing(claim) for claim, (what, _) in chance.NOTHING.items()
    }
    drawn[f"two parts, each true in {100 * chance.OFTEN:.0f}% of seeds"] = chance.something()
    rows = [
        {"how often it is said where": what, "word": word}
        | {words.counted(n, "seed"): f"{100 * shares[n].get(word, 0):.0f}%" for n in chance.SEEDS}
        for what, shares in drawn.items()
        for word in ("partly", "found here too")
    ]
    return style.folded("What is such a word worth?", style.table(pd.DataFrame(rows), "what the words are worth"))


def errors() -> str:
    """How often a statement of this book is held to be what it is not, or left undecided, by the number of seeds."""
    seeds = [n for n in chance.SEEDS if n >= stats.LEAST_RUNS]
    equal = _percent(chance.equal(n).get("holds", 0) for n in seeds)
    below = _percent(chance.at_zero(n, MARGINS).get("does not hold", 0) for n in seeds)
    return (
        f"With {style.joined(seeds)} seeds whose standard deviation is {chance.SPREAD:g} of a bound, a difference of "
        f"zero is found to be within it in {equal} of studies. Of {MARGINS} numbers that are truly on their bounds, "
        f"one is found on the wrong side in {below}."
    )


def _percent(shares: Iterable[float]) -> str:
    """Several of them: "47, 87 and 96%"."""
    return f"{style.joined(f'{100 * share:.0f}' for share in shares)}%"
