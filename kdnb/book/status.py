"""The execution-status page: when chapters were executed, which runs figures show, what the book was built with."""

import html
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from kdnb.book import fragments
from kdnb.book.fragments import Drawn, Notebook
from kdnb.figures import style
from kdnb.runs import Run
from kdnb.train.provenance import git

BUILT_WITH = ("kdnb", "jupyter-book", "sphinx", "myst-nb", "plotly", "anywidget", "ipywidgets", "kaleido")
_PAGE = """# Execution status

This page was written when the book was built, from the executed notebooks themselves.

## Chapters

{chapters}

## Figures

Each figure carries a digest of the runs it shows, their teacher included: when and with what they were made. A figure
with a slider is listed with the runs of all its steps.

{figures}

## This copy of the book

{built}
"""
_MISSING = """## Missing

{sentence} No figure shows what is missing. `make study` goes on with it.

{runs}

"""


def write(executed: Mapping[str, Path], target: Path, source: Path, missing: Sequence[Path] = ()) -> None:
    """Write the page to ``target``.

    executed: notebooks with papermill's records, by their place in the book such as "notebooks/01_teacher". source: the
    repository. missing: folders of runs that were asked for and are not finished.
    """
    chapters: dict[str, Notebook] = {place: nbformat.read(path, as_version=4) for place, path in executed.items()}
    records = pd.DataFrame([_chapter(place, chapter) for place, chapter in chapters.items()])
    rows = [_figure(place, one) for place, chapter in chapters.items() for one in fragments.figures(chapter)]
    text = _PAGE.format(
        chapters=style.table(records, "chapters", escape=False),
        figures=style.table(pd.DataFrame(rows), "figures", escape=False) if rows else "There are none.",
        built=_built(source),
    )
    target.write_text(text.replace("## Chapters", f"{_missing(missing)}## Chapters", 1), encoding="utf-8")


def lacking(missing: Sequence[Path]) -> str:
    """A sentence on runs that are not finished."""
    return f"This study is not whole: {len(missing)} run{'s are' if len(missing) > 1 else ' is'} missing."


def _missing(folders: Sequence[Path]) -> str:
    """What is missing and, where an error stopped it, its line."""
    if not folders:
        return ""
    rows = [{"run": place.name, "stopped by": html.escape(Run(place).failure or "–")} for place in folders]
    return _MISSING.format(sentence=lacking(folders), runs=style.table(pd.DataFrame(rows), "missing", escape=False))


def _chapter(place: str, chapter: Notebook) -> dict[str, str]:
    record, kernel = chapter.metadata.get("papermill", {}), chapter.metadata.get("kernelspec", {})
    language = chapter.metadata.get("language_info", {})
    known = {
        "executed (UTC)": str(record.get("start_time", "–"))[:16].replace("T", " "),
        "took": f"{record['duration']:.0f} s" if "duration" in record else "–",
        "Python": language.get("version", "–"),
        "kernel": kernel.get("name", "–"),
        "result": "failed" if record.get("exception") else "ok",
    }
    title = re.search(r"^# (.+)$", "\n".join(cell.source for cell in chapter.cells), re.M)
    return {
        "chapter": _link(place, "", title[1] if title else Path(place).name),
        **{name: html.escape(text) for name, text in known.items()},
    }


def _figure(place: str, figure: Drawn) -> dict[str, str]:
    """A row; of a stepper what all its steps show."""
    digests = [step["layout"].get("meta", {}) for step in figure.steps]
    several = len({folder for digest in digests for folder in digest.get("of", [])}) > 1
    known: dict[str, list[Any]] = {}
    for digest in digests:
        for name, values in digest.items():
            whole = [_whole(run, digest["of"][0]) for run in values] if name == "runs" and several else values
            known[name] = list(dict.fromkeys([*known.get(name, []), *whole]))
    days = sorted(known.get("trained", []))
    known |= {"trained": [days[0], *days[1:][-1:]]} if days else {}
    told = {name: html.escape(", ".join(map(str, values))) for name, values in known.items()}
    made = "; ".join(told[name] for name in ("hardware", "versions") if name in told)
    return {
        "figure": _link(place, f"#{figure.name}", figure.name),
        "runs": _runs(known, told),
        "trained": told.get("trained", "–").replace("-", "\u2011").replace(", ", " to "),  # a day stays on one line
        "commit": told.get("commit", "–"),
        "with": made or "–",
    }


def _whole(run: str, folder: str) -> str:
    """A run's name with its folder's: runs of two studies may have one name."""
    return run if "/" in run else f"{folder}/{run}"


def _runs(known: Mapping[str, Sequence[Any]], told: Mapping[str, str]) -> str:
    """How many runs of which study and seeds; their names one click away."""
    if "runs" not in known:
        return told.get("of", "–")
    seeds = f", seed {told['seeds']}" if "seeds" in known else ""
    return f"<details><summary>{len(known['runs'])} of {told['of']}{seeds}</summary>{told['runs']}</details>"


def _link(place: str, anchor: str, text: str) -> str:
    return f'<a href="../{place}.html{anchor}">{html.escape(text)}</a>'


def _built(source: Path) -> str:
    tools = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in BUILT_WITH)]
    commit = git(source, "rev-parse", "HEAD")
    changed = ", with uncommitted changes" if commit and git(source, "status", "--porcelain") else ""
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    told = f"commit `{commit[:10]}`{changed}" if commit else "a folder that is no checkout of the repository"
    return f"Built {when} from {told}, with {style.joined(tools)}."
