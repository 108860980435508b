"""What a page shows: a figure, or several to step through, and the words that are computed from the same runs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Generic, ParamSpec

import plotly.graph_objects as go

from kdnb import paths

Given = ParamSpec("Given")
CURVES = ("scatter", "scattergl", "bar")


@dataclass(frozen=True)
class Exhibit:
    """A figure with its words.

    figure  one, or several by the labels of the slider that chooses among them; None: nothing to draw here
    answer  what stands above it, in Markdown
    says    what it shows, computed, in Markdown
    table   the same in numbers, as HTML
    brief   the answer without its numbers, for a chapter's beginning; empty: it is short
    start   the label that a slider shows at first; None: the first
    of      which study it is of, where its name says so
    name    its id on the page, such as "mu-curves"; that of its maker, see :func:`exhibit`
    alt     a sentence for those who cannot see it
    step    what a slider chooses

    Raises: ValueError on a name that cannot be an id, and on a figure without alt.
    """

    figure: go.Figure | Mapping[str, go.Figure] | None = None
    says: str = ""
    answer: str = ""
    table: str = ""
    brief: str = ""
    start: str | None = None
    of: str = ""
    name: str = ""
    alt: str = ""
    step: str = ""

    @property
    def figures(self) -> list[go.Figure]:
        """All that it can show, in order."""
        if self.figure is None:
            return []
        return list(self.figure.values()) if isinstance(self.figure, Mapping) else [self.figure]

    @property
    def labels(self) -> list[str]:
        """Of :attr:`figures`, for the slider; empty where there is one figure."""
        return list(self.figure) if isinstance(self.figure, Mapping) else []


class Maker(Generic[Given]):
    """A function that makes an exhibit, and what is known before it does: the id that other pages link to.

    Where no figure has a point in it, since nothing of it was measured, none is shown.
    """

    def __init__(self, make: Callable[Given, Exhibit], name: str, alt: str, step: str) -> None:
        check(name.format(of="x"), alt)
        self.name, self.alt, self.step, self._make = name, alt, step, make
        update_wrapper(self, make)

    def __call__(self, *args: Given.args, **named: Given.kwargs) -> Exhibit:
        made = self._make(*args, **named)
        figure = made.figure if any(map(_has_points, made.figures)) else None
        return replace(made, figure=figure, name=self.id(made.of), alt=self.alt, step=self.step)

    def id(self, of: str = "") -> str:
        """The exhibit's id on its page; ``of``: which study's, where its page shows several."""
        return self.name.format(of=re.sub("[^a-z0-9]+", "-", of.lower()).strip("-"))

    @property
    def chapter(self) -> str:
        """Its notebook's name: figures lie in a file or a folder that is called like their chapter."""
        room = self._make.__module__.split(".")[2]
        return next((paths.root() / "notebooks").glob(f"[0-9][0-9]_{room}.ipynb")).stem


def _has_points(figure: go.Figure) -> bool:
    """Whether any trace has a number; one that is no curve, such as a heatmap, always has."""
    columns = [trace.y for trace in figure.data if trace.type in CURVES]
    known = any(value is not None and value == value for y in columns if y is not None for value in y)
    return known or len(columns) < len(figure.data)


def exhibit(name: str, alt: str, *, step: str = "") -> Callable[[Callable[Given, Exhibit]], Maker[Given]]:
    """Give the exhibits that a function makes their name, alt text, and what their slider chooses.

    name: such as "mu-curves"; with "{of}" in it where a page shows one a study, such as "separation-{of}".
    Raises: ValueError as :func:`check` does.
    """
    return lambda make: Maker(make, name, alt, step)


def check(name: str, alt: str) -> None:
    """Refuse a ``name`` that cannot be an id on a page, and an empty ``alt``, with ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"figure name {name!r} must be lower-case letters, digits and hyphens, such as 'mu-curves'.")
    if not alt.strip():
        raise ValueError(f"figure {name!r} has no alt text; say in a sentence what a reader sees in it.")
