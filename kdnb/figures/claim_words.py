"""The verdicts on one study in a word and in a sentence; claim by claim: :mod:`kdnb.figures.claims`."""

from collections.abc import Sequence

import pandas as pd

from kdnb.analysis.selection import Study
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check
from kdnb.claims.judge import Verdict
from kdnb.figures import style

SIGNS = {"reproduced": "● reproduced", "partly": "◐ partly", "not reproduced": "○ not reproduced"}
ANSWERS = {"yes": "✓", "no": "✗", "cannot be said": "?"}


def judged(study: Study) -> list[Verdict]:
    """Verdicts from all seeds and alphas at the chapter's weight decay."""
    return paper.judge(study.every)


def sign(found: Verdict) -> str:
    """The verdict in a word, with a mark to find it by."""
    return SIGNS.get(found.verdict, f"– {found.verdict}").replace(" ", "\u00a0", 1)  # the mark stays with its word


def standing(checks: Sequence[Check]) -> str:
    """How a claim stands against its controls, with a mark: every check, some, none, or none that can be answered."""
    answers = {check.answer for check in checks}
    some = "◧" if "yes" in answers else "?" if answers == {"cannot be said"} else "□"
    return f"{'■' if answers == {'yes'} else some}\u00a0{controls.tally(checks)}"


def sentence(verdicts: Sequence[Verdict]) -> str:
    """How many claims fared how, and on how many seeds that rests."""
    counts = pd.Series([found.verdict for found in verdicts]).value_counts()
    parts = [f"{counts[word]} {word}" for word in paper.WORDS if word in counts]
    seeds = [int(found.evidence["n"]) for found in verdicts if found.evidence["n"]]
    few, many = min(seeds, default=0), max(seeds, default=0)
    span = f"{few}" if few == many else f"{few} to {many}"
    return f"Of {len(verdicts)} claims: {style.joined(parts)}, on {span} seed{'s' * (many != 1)} each."
