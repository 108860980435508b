"""A built page as its markup says it, before any script runs: links, anchors, pictures, headings."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Markup(HTMLParser):
    """What one page holds: ids, what it points to, its pictures without words for them, its headings, its language."""

    ids: Counter[str] = field(default_factory=Counter)
    targets: list[str] = field(default_factory=list)
    wordless: list[str] = field(default_factory=list)
    titles: int = 0
    in_article: bool = False
    language: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.in_article |= tag == "article"
        self.titles += tag == "h1" and self.in_article  # the theme repeats it, hidden, for paper
        self.ids.update(filter(None, [given.get("id")]))
        self.targets += filter(None, [given.get("href"), given.get("src")])
        if tag == "img" and not given.get("alt"):
            self.wordless.append(str(given.get("src")))
        if tag == "html":
            self.language = given.get("lang")


@cache
def parsed(path: Path) -> Markup:
    """The markup of the page at ``path``."""
    made = Markup()
    made.feed(path.read_text(encoding="utf-8"))
    return made


def broken(page: Path) -> list[str]:
    """What ``page`` points to inside the book and is not there: a file, or an anchor in a page."""
    return [target for target in parsed(page).targets if not _leads(page, target)]


def _leads(page: Path, target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return True  # another server's, which the weekly link check visits
    there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not there.is_file():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or there.suffix != ".html" or anchor in parsed(there).ids
