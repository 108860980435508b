"""Building a book from executed notebooks: what is taken, what is taken out, and what is refused."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from small_book import ROOT

from kdnb import __main__ as command_line
from kdnb.book import build, export


def test_only_the_contents_are_staged(source: Path, executed: Path, tmp_path: Path) -> None:
    build.stage(source, executed, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"_config.yml", "_toc.yml", "book", "notebooks", "extra"}


def test_every_page_says_when_runs_are_missing(source: Path, executed: Path, tmp_path: Path) -> None:
    build.stage(source, executed, tmp_path / "whole")
    assert (tmp_path / "whole" / "_config.yml").read_bytes() == (source / "_config.yml").read_bytes()
    build.stage(source, executed, tmp_path / "stage", [tmp_path / "kd-T2"])
    said = yaml.safe_load((tmp_path / "stage" / "_config.yml").read_text())["html"]["announcement"]
    assert said.startswith("This study is not whole: 1 run is missing.")


def test_a_figure_left_blank_fails_the_build(source: Path, executed: Path, tmp_path: Path) -> None:
    live = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(live / "one.ipynb", as_version=4)
    made.cells[2].outputs[0] = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": {}})
    nbformat.write(made, live / "one.ipynb")
    with pytest.raises(ValueError, match=r"one\.ipynb holds a live Plotly figure.*KDNB_DISPLAY=static"):
        build.stage(source, live, tmp_path / "stage")


def executed_copy(executed: Path, folder: Path) -> Path:
    shutil.copytree(executed, folder / "copy")
    return folder / "copy"


def test_failed_notebook_is_refused(source: Path, executed: Path, tmp_path: Path) -> None:
    failed = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(failed / "two.ipynb", as_version=4)
    made.metadata["papermill"]["exception"] = True
    nbformat.write(made, failed / "two.ipynb")
    with pytest.raises(ValueError, match=r"two\.ipynb stopped with an error"):
        build.stage(source, failed, tmp_path / "stage")


def test_a_notebook_that_was_changed_since_is_refused(source: Path, executed: Path, tmp_path: Path) -> None:
    """Other parameters are no change: papermill injects them, and a reader may write them."""
    stale = executed_copy(executed, tmp_path)
    made: Any = nbformat.read(stale / "two.ipynb", as_version=4)
    made.cells[1].source = "T = 10"
    made.cells.insert(2, nbformat.v4.new_code_cell("T = 20", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(made, stale / "two.ipynb")
    build.stage(source, stale, tmp_path / "stage")
    made.cells[0].source += " It was another text."
    nbformat.write(made, stale / "two.ipynb")
    with pytest.raises(ValueError, match=r"two\.ipynb was executed before .*notebooks/two\.ipynb was changed"):
        build.stage(source, stale, tmp_path / "again")


def test_missing_notebook_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lacks one\.ipynb, two\.ipynb"):
        build.stage(source, tmp_path, tmp_path / "stage")


def test_never_executed_notebook_is_refused() -> None:
    cells = [nbformat.v4.new_code_cell("1 + 1")]
    with pytest.raises(ValueError, match=r"plain\.ipynb was never executed"):
        export.refuse_unfit(nbformat.v4.new_notebook(cells=cells), "plain.ipynb")


def test_places_on_this_machine_are_taken_out_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/jürgen")
    said = f"first\n/tmp/ipykernel_7/80.py:3: UserWarning\n{ROOT}/runs, {ROOT} and /home/jürgen/data\n"
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text=said)], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "here.ipynb")
    export.publish(tmp_path / "here.ipynb", tmp_path / "published.ipynb")
    (kept,) = nbformat.read(tmp_path / "published.ipynb", as_version=4).cells
    assert kept.outputs[0].text == "first\ncell:3: UserWarning\nruns, . and ~/data\n"


def test_truncated_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"half\.ipynb is no notebook"):
        export.publish(tmp_path / "half.ipynb", tmp_path / "out.ipynb")


def test_a_folder_that_is_no_book_is_kept(source: Path, executed: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not a book"):
        build.build(source, executed, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_command_line_says_what_is_missing_and_what_sphinx_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["book", "--executed", str(tmp_path / "none"), "--output", str(tmp_path / "book")]
    assert command_line.main(words) == 2
    assert re.match(r"kdnb: .*none", capsys.readouterr().err)

    def gave_up(*_: object) -> None:
        raise subprocess.CalledProcessError(1, "sphinx")

    monkeypatch.setattr(build, "build", gave_up)
    assert command_line.main(words) == 2
    assert capsys.readouterr().err == "kdnb: Sphinx gave up (status 1); its warnings are above.\n"


def test_contents_name_files_that_exist_or_notebooks() -> None:
    entries = build.chapters(ROOT / "_toc.yml")
    assert entries[0] == "notebooks/00_start" and len(set(entries)) == len(entries)
    for entry in set(entries) - {build.STATUS}:
        assert (ROOT / f"{entry}.{'ipynb' if entry.startswith('notebooks/') else 'md'}").is_file(), entry


def test_every_notebook_is_a_chapter_of_the_table_of_contents() -> None:
    """One that is forgotten there would be executed and never shown."""
    chapters = {name.removeprefix("notebooks/") for name in build.chapters(ROOT / "_toc.yml") if "notebooks/" in name}
    assert chapters == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_back_and_next_follow_the_table_of_contents() -> None:
    """They are written by hand, for readers in Colab; the first page has none."""
    entries = build.chapters(ROOT / "_toc.yml")
    for before, entry, after in zip(entries, entries[1:], entries[2:], strict=False):
        if entry.startswith("notebooks/"):
            line = nbformat.read(ROOT / f"{entry}.ipynb", as_version=4).cells[-1].source.splitlines()[-1]
            targets = re.findall(r"(?:Back|Next): \[[^\]]+\]\(([^)]+)\)", line)
            places = [(ROOT / "notebooks" / target).resolve().relative_to(ROOT) for target in targets]
            assert [str(place.with_suffix("")) for place in places] == [before, after], entry
