"""How long pages take to read, as each says itself."""

import re
from collections.abc import Iterable
from pathlib import Path


def minutes(pages: Iterable[Path]) -> int:
    """Minutes that all of ``pages`` take together."""
    return sum(map(stated, pages))


def stated(page: Path) -> int:
    """Minutes that a page says it takes, near its top; 0 where it says nothing, as a glossary, which is looked up."""
    found = re.search(r"(\d+) minutes", page.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0
