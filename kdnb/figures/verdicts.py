"""Chapter 4: the table of the paper's claims, each with the verdict that the runs at hand give it."""

from collections.abc import Sequence

import pandas as pd

from kdnb import claims
from kdnb.figures import style
from kdnb.figures.source import Study
from kdnb.verdicts import Verdict

SIGNS = {"reproduced": "● reproduced", "partly": "◐ partly", "not reproduced": "○ not reproduced"}


def judged(study: Study) -> list[Verdict]:
    """Verdicts from all seeds and alphas at the chapter's weight decay."""
    return claims.judge(study.every)


def sign(found: Verdict) -> str:
    """The verdict in a word, with a mark to find it by."""
    return SIGNS.get(found.verdict, f"– {found.verdict}").replace(" ", "\u00a0", 1)  # the mark stays with its word


def as_html(verdicts: Sequence[Verdict]) -> str:
    """The claims as a table: the verdict, what the paper says and where, and the computed sentence."""
    rows = [
        {
            "": found.id,
            "verdict": sign(found),
            "the paper says": f"{found.text} ({found.figure})",
            "what these runs show": found.sentence,
        }
        for found in verdicts
    ]
    return style.table(pd.DataFrame(rows))


def sentence(verdicts: Sequence[Verdict]) -> str:
    """How many claims fared how, and on how many seeds that rests."""
    counts = pd.Series([found.verdict for found in verdicts]).value_counts()
    order = ("reproduced", "partly", "not reproduced", "not testable")
    parts = [f"{counts[word]} {word}" for word in order if word in counts]
    seeds = max((int(found.evidence["n"]) for found in verdicts), default=0)
    return f"Of {len(verdicts)} claims: {style.joined(parts)}, on {seeds} seed{'s' * (seeds != 1)}."
