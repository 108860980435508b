"""What pages may quote of one another."""

from collections.abc import Sequence

from IPython.display import display

from kdnb.claims import controls, paper
from kdnb.claims.studies import Judged

GLUED = "application/papermill.record/text/plain"  # the form in which myst_nb.glue keeps a text that is not displayed


def glue(found: Sequence[Judged]) -> None:
    """Keep what other pages may quote (``quotable`` of claims and controls), as ``myst_nb.glue`` does undisplayed."""
    for one in found:
        for key, text in (paper.quotable(one.verdicts) | controls.quotable(one.controls)).items():
            known = {"scrapbook": {"name": f"{one.key}_{key}", "mime_prefix": GLUED.removesuffix("text/plain")}}
            display({GLUED: repr(text)}, raw=True, metadata=known)  # type: ignore[no-untyped-call]
