"""How long pages take to read, from the words of their source."""

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

PACE = 200  # words a minute, of a text with figures


def words(page: Path) -> int:
    """Words of a page's prose: a notebook's text cells, a Markdown file without its code blocks."""
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells  # type: ignore[no-untyped-call]
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = re.sub(r"```\{code.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return len(re.sub(r"\]\([^)]*\)", "]", text).split())


def minutes(pages: Iterable[Path]) -> int:
    """Minutes that all of ``pages`` take together, at least one."""
    return max(1, round(sum(map(words, pages)) / PACE))
