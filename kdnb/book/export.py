"""Making executed notebooks fit to publish: refusing failed ones, and taking out what is one machine's business."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from kdnb.book import fragments, pictures
from kdnb.book.fragments import Drawn
from kdnb.book.pictures import Picture
from kdnb.paths import root

_KEPT = {"kernelspec", "language_info", "widgets"}
_HIDDEN = {"parameters", "injected-parameters"}
_AGAIN = "Execute it again (the `make study` or `make book` that made it does) and build the book then."
# A badge: a picture on another server, inside a link.
_BADGE = re.compile(r"\[!\[([^\]]*)\]\(https?://[^)]+\)\]")
# A link to the rendered book: opened in Colab or Jupyter a notebook has no other pages beside it.
_TERM = re.compile(r"\[([^\]]+)\]\(https://[^)\s]+/book/glossary\.html#term-[^)\s]*\)")
_PLACE = re.compile(r"\[([^\]]+)\]\(https://[^)\s]+/book/[\w-]+\.html#([\w-]+)\)")
_LIVE = "<noscript><p>Here your browser computes and draws; for that it needs scripts (JavaScript).</p></noscript>"
_PLOTLY = "application/vnd.plotly.v1+json"

Notebook = Any  # nbformat's NotebookNode has no types


def refuse_unfit(notebook: Notebook, name: str) -> None:
    """Refuse a notebook that failed, was never executed, or holds a figure that a static page would leave blank.

    Raises: ValueError, naming the notebook and the way out.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    if notebook.metadata.get("papermill", {}).get("exception") or any(o.output_type == "error" for o in outputs):
        raise ValueError(f"{name} stopped with an error when it was executed. {_AGAIN}")
    if code and not any(cell.execution_count for cell in code):
        raise ValueError(f"{name} was never executed. {_AGAIN}")
    if any(_PLOTLY in o.get("data", {}) and "text/html" not in o.data for o in outputs):
        raise ValueError(f"{name} holds a live Plotly figure, blank on a page. Set KDNB_DISPLAY=static. {_AGAIN}")


def refuse_stale(executed: Path, notebook: Path) -> None:
    """Refuse an executed notebook that says something else than ``notebook`` does by now; parameters may differ.

    Raises: ValueError, naming the notebook and the way out.
    """
    there, now = (
        [cell.source for cell in nbformat.read(path, as_version=4).cells if not _is_of_parameters(cell)]
        for path in (executed, notebook)
    )
    if there != now:
        raise ValueError(f"{executed.name} was executed before {notebook} was changed. {_AGAIN}")


def _is_of_parameters(cell: Any) -> bool:
    return bool(_HIDDEN & set(cell.metadata.get("tags", [])))


def _without_paths(text: str) -> str:
    """Return ``text`` (JSON) with the repository's absolute path made relative and the home folder written as ~."""
    repository, home = (json.dumps(str(path), ensure_ascii=False)[1:-1] for path in (root(), Path.home()))
    text = re.sub(re.escape(repository) + r"/(?=[\w.])", "", text)
    text = re.sub(re.escape(repository) + r"(?![\w.-])", ".", text)
    if len(Path.home().parts) > 1:
        text = re.sub(re.escape(home) + r"(?=/)", "~", text)
    # From a word's beginning only: tried at each of its letters, it takes seconds a notebook.
    return re.sub(r'(\\.|[\s"])[^\s"\\]*/ipykernel_\d+/\d+\.py', r"\1cell", text)


def _in_the_book(text: str) -> str:
    """Return Markdown as a page has it: badges plain, links to the rendered book as references within it."""
    text = _BADGE.sub(r"[\1]", text)  # a page asks no other server for pictures
    return _PLACE.sub(r"[\1](#\2)", _TERM.sub(r"{term}`\1`", text))


def clean(notebook: Notebook) -> Notebook:
    """Return ``notebook`` without papermill's records; a page does not show its parameters."""
    notebook.metadata = nbformat.from_dict({key: value for key, value in notebook.metadata.items() if key in _KEPT})
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _in_the_book(cell.source)
        hidden = {"remove-input"} if _is_of_parameters(cell) else set()
        cell.metadata = nbformat.from_dict({"tags": sorted({*cell.metadata.get("tags", []), *hidden})})
    return notebook


def illustrate(notebook: Notebook, chapter: str, site: str | None) -> list[Picture]:
    """Put a picture of every figure into ``notebook``, seen only where scripts are off; of a stepper its first.

    site: the book's address, for the card of links to ``chapter``; None puts the figures' words in the pictures' place.
    Returns: what is to be drawn for the book.
    """
    figures = list(fragments.figures(notebook))
    stills = {figure.name: pictures.still(figure, chapter) for figure in figures if site is not None}
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [made for one in cell.outputs for made in _beside(one, figures, stills)]
    if site is None or not figures:
        return []
    card = pictures.card(figures[0], chapter)
    notebook.metadata |= {"og:image": f"{site}{card.path}", "og:image:alt": figures[0].alt}
    return [card, *stills.values()]


def _beside(output: Any, figures: Sequence[Drawn], stills: Mapping[str, Picture]) -> list[Any]:
    """``output`` with its pictures: in its own HTML, or, of a widget, in an output of their own after it."""
    quiet = {one.name: _still(one.alt, stills.get(one.name)) for one in figures if one.output is output}
    if fragments.VIEW in output.get("data", {}):
        text = "".join(f'<noscript><div id="{name}">{still}</div></noscript>' for name, still in quiet.items())
        return [output, nbformat.v4.new_output("display_data", {"text/html": text or _LIVE})]
    for name, still in quiet.items():
        mark = f'<script type="application/json" data-kdnb-figure="{name}">'
        beside = f"<noscript><style>#{name}{{display:none}}</style>{still}</noscript>"
        output.data["text/html"] = output.data["text/html"].replace(mark, beside + mark)
    return [output]


def _still(alt: str, picture: Picture | None) -> str:
    words = html.escape(alt)
    if picture is None:
        return f"<p>{words} <em>(A figure; your browser draws it if it may run scripts.)</em></p>"
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img class="kdnb-still" src="../{picture.path}" alt="{words}" {size} loading="lazy">'


def publish(source: Path, target: Path, site: str | None = None) -> list[Picture]:
    """Write the executed notebook ``source``, cleaned and fit for readers without scripts, to ``target``.

    site: the book's address; None where no pictures can be drawn. Returns: the pictures that its page then needs.
    Raises: ValueError when it is not fit to publish (see `refuse_unfit`) or is no notebook.
    """
    try:
        notebook = nbformat.reads(_without_paths(source.read_text(encoding="utf-8")), as_version=4)
    except (nbformat.reader.NotJSONError, UnicodeDecodeError) as error:
        raise ValueError(f"{source.name} is no notebook: {error}. {_AGAIN}") from error
    refuse_unfit(notebook, source.name)
    fit = clean(notebook)
    wanted = illustrate(fit, target.stem, site)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(fit, target)
    return wanted
