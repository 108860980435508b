"""Build the book from executed notebooks: ``python -m kdnb book --executed DIR --output DIR``.

Needs no training, no execution and no network. Sphinx works on a staging copy that holds only what the table of
contents names: prose, configuration, and the executed notebooks at the paths of their sources, so that Colab buttons
point at files that exist. Every warning is an error. Where a Chromium is, it draws the pictures for readers without
scripts meanwhile. The finished book replaces the old one in one step.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from importlib.resources import files
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from plotly.offline import get_plotlyjs

from kdnb.book import export, pictures, status
from kdnb.book.drawing import script
from kdnb.book.pictures import Picture

STATUS = "book/status"  # a page written here, where the contents name it
_BUILD = ["-c", "from jupyter_book.cli.main import main; main()", "build"]


def _entries(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _entries(item)
    elif isinstance(node, dict):
        yield from (node[key] for key in ("root", "file") if key in node)
        for key in ("parts", "chapters", "sections"):
            yield from _entries(node.get(key))


def chapters(toc: Path) -> list[str]:
    """Return the table of contents' files in reading order, without suffixes, such as "notebooks/01_teacher"."""
    return list(_entries(yaml.safe_load(toc.read_text(encoding="utf-8"))))


def _find_notebooks(toc: Path, executed: Path) -> dict[str, Path]:
    wanted = {
        entry: executed / f"{Path(entry).name}.ipynb" for entry in chapters(toc) if entry.startswith("notebooks/")
    }
    if missing := [path.name for path in wanted.values() if not path.is_file()]:
        raise FileNotFoundError(f"{executed} lacks {', '.join(missing)}; execute them first (`make study` does).")
    return wanted


def _copy_scripts(source: Path, folder: Path) -> None:
    shutil.copytree(source / "vendor", folder)
    (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    (folder / "kdnb.js").write_text(
        f"(() => {{\n{script('access.js', shared=False)}{script('page.js')}}})();\n", encoding="utf-8"
    )
    (folder / "kdnb-widgets.js").write_text(script("widgets.js", shared=False), encoding="utf-8")
    style = script("page.css", shared=False) + script("tools.css", shared=False)
    (folder / "kdnb.css").write_text(style, encoding="utf-8")
    (folder / "tips.js").write_text(_tips(folder), encoding="utf-8")
    (folder / "tips.css").write_text(script("tips.css", shared=False), encoding="utf-8")
    (folder / "mark.png").write_bytes((files("kdnb.book") / "static" / "mark.png").read_bytes())
    spec = find_spec("anywidget")
    assert spec is not None and spec.origin is not None
    shutil.copy(Path(spec.origin).parent / "nbextension" / "index.js", folder / "anywidget.js")
    for name in ("plotly", "anywidget"):
        _copy_licence(name, folder / "licences" / f"{name}.txt")


def _tips(vendor: Path) -> str:
    """Popper, tippy and their settings as one script that hides RequireJS: with it in sight they define no globals."""
    parts = [(vendor / name).read_text(encoding="utf-8") for name in ("popper.js", "tippy.js")]
    return "\n".join(["(function (define) {", *parts, script("tips.js", shared=False), "}).call(window);\n"])


def _copy_licence(name: str, target: Path) -> None:
    package = distribution(name)
    for file in package.files or []:
        if file.name.upper().startswith("LICEN") and ".dist-info" in str(file):
            target.write_text(file.read_text(), encoding="utf-8")
            return
    raise FileNotFoundError(f"the installed {name} has no licence file to publish with its script; install it anew.")


def stage(
    source: Path, executed: Path, folder: Path, missing: Sequence[Path] = (), *, drawn: bool = True
) -> list[Picture]:
    """Fill ``folder`` with what the book is built from.

    source: the repository. executed: executed notebooks, flat, named like their sources. missing: folders of runs that
    the study lacks, which every page then says. drawn: whether pictures will be. Returns: the pictures to put beside
    the built pages.
    Raises: FileNotFoundError naming notebooks that are missing; ValueError for one that failed or has changed since.
    """
    notebooks = _find_notebooks(source / "_toc.yml", executed)
    site = _site(source / "_config.yml") if drawn else None
    wanted = [export.publish(path, folder / f"{name}.ipynb", site) for name, path in notebooks.items()]
    for name, path in notebooks.items():
        export.refuse_stale(path, source / f"{name}.ipynb")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(source / name, folder)
    if missing:
        _announce(
            f"{status.lacking(missing)} The execution status, under Reference, says which.", folder / "_config.yml"
        )
    shutil.copytree(source / "book", folder / "book")
    if STATUS in chapters(source / "_toc.yml"):
        status.write(notebooks, folder / f"{STATUS}.md", source, missing)
    _copy_scripts(source, folder / "extra" / "vendor")
    return list(chain.from_iterable(wanted))


def _announce(text: str, configuration: Path) -> None:
    """Put a line above every page."""
    content = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    content["html"]["announcement"] = text
    configuration.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _site(configuration: Path) -> str:
    address: str = yaml.safe_load(configuration.read_text(encoding="utf-8"))["sphinx"]["config"]["ogp_site_url"]
    return address


def _refuse_foreign(output: Path) -> None:
    if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not (output / ".buildinfo").exists())):
        raise FileExistsError(f"{output} is not a book, and would be replaced; give another --output.")


def _replace(old: Path, new: Path) -> None:
    if old.exists():
        aside = new.with_name("replaced")
        old.rename(aside)
    new.rename(old)


def build(source: Path, executed: Path, output: Path, missing: Sequence[Path] = ()) -> Path:
    """Build the book into ``output`` (an older book there is replaced when the new one is done); return its first page.

    Raises: FileExistsError when ``output`` holds something else; FileNotFoundError or ValueError for notebooks that
    are missing or failed; subprocess.CalledProcessError when Sphinx warns; OSError when a browser that is there draws
    no pictures.
    """
    _refuse_foreign(output)
    browser = pictures.find_browser()
    if browser is None:
        print(f"kdnb: {pictures.NO_BROWSER}", file=sys.stderr)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".book-") as work:
        staging, drawn, html = (Path(work) / part for part in ("source", "drawn", "_build/html"))
        staging.mkdir()
        wanted = stage(source, executed, staging, missing, drawn=browser is not None)
        command = [sys.executable, *_BUILD, str(staging), "--path-output", work, "-n", "-W", "--keep-going", "-q"]
        # Its output names the staging copy, which nobody should open; warnings come on standard error.
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sphinx:
            if browser is not None:
                pictures.draw(wanted, drawn, source / "build" / "pictures", browser)
        if sphinx.returncode:
            raise subprocess.CalledProcessError(sphinx.returncode, command)
        if wanted:
            (drawn / "pictures").rename(html / "pictures")
        _replace(output, html)
    return output / "index.html"
