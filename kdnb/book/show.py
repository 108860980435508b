"""Showing an exhibit: natively where somebody works, as a light fragment or a widget where a book is made."""

import plotly.graph_objects as go
from IPython.display import HTML, Markdown, display

from kdnb import surroundings
from kdnb.book.drawing import fragment
from kdnb.book.widgets import stepper
from kdnb.figures.exhibit import Exhibit, check


def show(exhibit: Exhibit) -> None:
    """Display an exhibit: its figure, or a slider over its figures; below it its words and its table.

    In JupyterLab and Colab figures are Plotly's own; elsewhere fragments that the book's page draws. Plotly text is
    Unicode and HTML (μ, T<sup>2</sup>); LaTeX stays raw. Raises: ValueError on a bad name, or a figure without alt.
    """
    if exhibit.answer:
        display(Markdown(exhibit.answer))
    if exhibit.labels:
        display(stepper(exhibit))
    elif exhibit.figures:
        _show_one(exhibit.figures[0], exhibit.name, exhibit.alt)
    if exhibit.says:
        display(Markdown(exhibit.says))
    if exhibit.table:
        display(HTML(exhibit.table))


def _show_one(figure: go.Figure, name: str, alt: str) -> None:
    check(name, alt)
    if surroundings.is_live():
        go.Figure(figure).update_layout(template="kdnb").show(config={"displaylogo": False, "responsive": True})
    else:
        display(HTML(fragment(figure, name=name, alt=alt)))
