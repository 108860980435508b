"""Pictures of figures, for readers without scripts and for the cards of shared links: drawn by Plotly in a Chromium.

Kaleido drives the browser; the page that it draws in holds Plotly's script from the installed wheel and the book's own,
and asks nobody for anything. Each picture is kept under a digest of all that it depends on: a second build draws only
what changed.
"""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from choreographer.browsers import Chromium
from kaleido import Kaleido, PageGenerator
from plotly.offline import get_plotlyjs_version

from kdnb.book.drawing import script
from kdnb.book.fragments import Drawn
from kdnb.files import write_atomically

WIDTH = 704  # pixels, the text's width in the book on a desk
CARD = (960, 504, 1.25)  # of a shared link: 1200 x 630 pixels, with letters that can be read when it is shown small
TABS = 2  # a tab is loaded anew after each figure; meanwhile another draws
NO_BROWSER = (
    "No Chrome or Chromium here (Debian: apt-get install chromium; one elsewhere: BROWSER_PATH=...): readers without "
    "scripts get words in the place of pictures."
)


@dataclass(frozen=True)
class Picture:
    """A picture that the book needs: its place in the book, of which figure, how large and how fine."""

    path: str  # its suffix says the format
    spec: Mapping[str, Any]
    width: int
    height: int
    scale: float = 1


def still(figure: Drawn, chapter: str) -> Picture:
    """``figure`` as a page shows it where scripts are off."""
    height = figure.spec["layout"].get("height", 450)
    return Picture(f"pictures/{chapter}/{figure.name}.webp", figure.spec, WIDTH, height)


def card(figure: Drawn, chapter: str) -> Picture:
    """``figure`` as others show it beside a link to ``chapter``."""
    return Picture(f"pictures/{chapter}/card.png", figure.spec, *CARD)


def find_browser() -> str | None:
    """The browser that BROWSER_PATH names, or an installed one; None where there is none."""
    path = os.environ.get("BROWSER_PATH") or Chromium.find_browser(skip_local=False)
    return path if path and Path(path).is_file() else None


def draw(wanted: Sequence[Picture], folder: Path, cache: Path, browser: str) -> None:
    """Put the pictures ``wanted`` into ``folder``; ``browser`` draws those of which ``cache`` holds no sound copy.

    Raises: OSError, naming the browser and the way out, when it fails.
    """
    page = script("figure.js", shared=False) + script("pictures.js", shared=False)
    keys = [_key(picture, page) for picture in wanted]
    missing = {key: picture for key, picture in zip(keys, wanted, strict=True) if _kept(cache, key) is None}
    try:
        if missing:
            asyncio.run(_draw(missing, cache, browser, page))
    except Exception as error:  # a browser fails in many ways
        raise OSError(
            f"{browser} draws no pictures: {error!r}. Name another Chrome or Chromium by BROWSER_PATH=..., or do "
            "without pictures: BROWSER_PATH=none."
        ) from error
    for key, picture in zip(keys, wanted, strict=True):
        found, target = _kept(cache, key), folder / picture.path
        assert found is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, target)


def _key(picture: Picture, page: str) -> str:
    made_from = [*astuple(picture)[1:], Path(picture.path).suffix, page, get_plotlyjs_version()]
    return sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]


def _kept(cache: Path, key: str) -> Path | None:
    """The picture of ``key``; a damaged one, which is not what its name says, does not count."""
    names = ((file, file.stem.partition("-")[2]) for file in cache.glob(f"{key}-*"))
    return next((file for file, content in names if sha256(file.read_bytes()).hexdigest() == content), None)


async def _draw(missing: Mapping[str, Picture], cache: Path, browser: str, page: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kdnb-pictures-") as scratch:
        own = Path(scratch) / "page.js"
        own.write_text(page, encoding="utf-8")
        blank = PageGenerator(mathjax=False, others=[(str(own), "utf-8")])
        async with Kaleido(n=TABS, path=browser, page_generator=blank) as kaleido:
            await asyncio.gather(*(_keep(kaleido, *item, cache) for item in missing.items()))


async def _keep(kaleido: Kaleido, key: str, picture: Picture, cache: Path) -> None:
    suffix = Path(picture.path).suffix
    size = {"width": picture.width, "height": picture.height, "scale": picture.scale}
    try:
        content = await kaleido.calc_fig(picture.spec, {"format": suffix[1:], **size})
    except Exception as error:
        raise RuntimeError(f"{picture.path}: {error}") from error
    place = cache / f"{key}-{sha256(content).hexdigest()}{suffix}"
    write_atomically(place, lambda temporary: temporary.write_bytes(content))
