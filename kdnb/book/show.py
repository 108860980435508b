"""Showing an exhibit: its answer, its figure or a slider over its figures, its words, its table."""

from collections.abc import Sequence

from IPython.display import HTML, Markdown, display

from kdnb import surroundings
from kdnb.book import widgets
from kdnb.book.drawing import fragment
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, check


def show(*exhibits: Exhibit) -> None:
    """Display an exhibit; of several, one a study, all answers, and under a menu the figures, one at a time.

    A figure is a light fragment that the book's page draws, or, where somebody works, a widget: the same drawing,
    strip of data and alt text in both. Plotly text is Unicode and HTML (μ, T<sup>2</sup>); LaTeX stays raw.

    Raises: ValueError on a bad name, or a figure without alt.
    """
    several = len(exhibits) > 1
    for exhibit in exhibits:
        if exhibit.answer:
            display(Markdown(f"*{exhibit.of}*: {exhibit.answer}" if several else exhibit.answer))
    _draw([exhibit for exhibit in exhibits if exhibit.figures])
    for exhibit in exhibits:
        if exhibit.says:
            display(Markdown(f"*{exhibit.of}*: {exhibit.says}" if several else exhibit.says))
        if exhibit.table:
            display(HTML(style.folded(f"{exhibit.of} in numbers", exhibit.table) if several else exhibit.table))


def recall(question: str, exhibit: Exhibit) -> None:
    """Display what an exhibit answers before it comes, where a chapter begins: in brief, where it can be."""
    display(Markdown(f"*{question}* {(exhibit.brief or exhibit.answer).replace('**', '')}"))


def _draw(exhibits: Sequence[Exhibit]) -> None:
    for exhibit in exhibits:
        check(exhibit.name, exhibit.alt)
    if len(exhibits) > 1:
        display(widgets.menu({exhibit.of: _widget(exhibit) for exhibit in exhibits}, "study"))
    elif exhibits and (len(exhibits[0].figures) > 1 or surroundings.is_live()):
        display(_widget(exhibits[0]))
    elif exhibits:
        display(HTML(fragment(exhibits[0].figures[0], name=exhibits[0].name, alt=exhibits[0].alt)))


def _widget(exhibit: Exhibit) -> widgets.FigureView | widgets.Stepper:
    return widgets.stepper(exhibit) if len(exhibit.figures) > 1 else widgets.view(exhibit)  # one step is no choice
