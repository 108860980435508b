"""The execution-status page tells what the executed notebooks and the runs' provenance say, and no path."""

import subprocess
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
import pytest
from made_up import kd, write

from kdnb.book import status
from kdnb.book.drawing import fragment
from kdnb.book.fragments import Drawn
from kdnb.figures import origin
from kdnb.runs import Run
from kdnb.train import provenance

SESSION = {
    "started": "2026-11-22T23:00:00+00:00",
    "commit": "0123456789abcdef",
    "uncommitted_changes": True,
    "hardware": {"device": "cpu", "cpu": "A <fast> CPU", "machine": "x86_64"},
    "threads": 2,
    "versions": {"python": "3.11.7", "torch": "2.14.1", "scipy": "1"},
}


@pytest.fixture
def runs(tmp_path: Path) -> list[Any]:
    made = [write(tmp_path / "digits", kd(4, init_seed=seed)) for seed in (0, 1)]
    for run, day in zip(made, (22, 24), strict=True):
        session = {**SESSION, "started": SESSION["started"].replace("22T", f"{day}T")}  # type: ignore[attr-defined]
        run.write_provenance({"sessions": [session]})
    return made


def executed(folder: Path, figure: go.Figure, **record: object) -> Path:
    output = nbformat.v4.new_output("display_data", {"text/html": fragment(figure, name="curves", alt="Curves.")})
    cells = [nbformat.v4.new_markdown_cell("# The chapter"), nbformat.v4.new_code_cell("", outputs=[output])]
    made = nbformat.v4.new_notebook(
        cells=cells, metadata={"papermill": record, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    nbformat.write(made, folder / "one.ipynb")
    return folder / "one.ipynb"


def page(folder: Path, figure: go.Figure, **record: object) -> str:
    status.write({"notebooks/one": executed(folder, figure, **record)}, folder / "status.md", folder)
    return (folder / "status.md").read_text()


def test_a_digest_tells_which_runs_and_how_they_were_made(runs: list[Any]) -> None:
    assert origin.of(runs) == {
        "runs": ["kd-T4-a0.9-wd0.0005-s0", "kd-T4-a0.9-wd0.0005-s1"],
        "of": ["digits"],
        "seeds": [0, 1],
        "trained": ["2026-11-22", "2026-11-24"],
        "commit": ["0123456789 and changes"],
        "hardware": ["A <fast> CPU, 2 threads"],
        "versions": ["Python 3.11.7", "torch 2.14.1"],
    }


def test_the_teacher_counts_among_the_runs_and_not_among_the_seeds(runs: list[Any]) -> None:
    digest = origin.of(runs[:1], runs[1])
    assert len(digest["runs"]) == 2 and digest["seeds"] == [0] and digest["trained"] == ["2026-11-22", "2026-11-24"]


def test_a_run_without_provenance_has_a_digest_without_it(tmp_path: Path) -> None:
    assert origin.of([write(tmp_path / "digits", kd(1))]).keys() == {"runs", "of", "seeds"}


def test_what_is_missing_is_named_with_what_stopped_it(runs: list[Any], tmp_path: Path) -> None:
    lost, stopped = Run(tmp_path / "kd-T2"), Run(tmp_path / "pulled-s0")
    stopped.write_failure(FloatingPointError("pulled-s0: loss_ce is <nan> in epoch 3.\nMore."))
    figure = executed(tmp_path, go.Figure())
    status.write({"notebooks/one": figure}, tmp_path / "status.md", tmp_path, [lost.path, stopped.path])
    text = (tmp_path / "status.md").read_text()
    assert "This study is not whole: 2 runs are missing." in text and text.index("## Missing") < text.index("## Chap")
    assert "kd-T2" in text and "pulled-s0: loss_ce is &lt;nan&gt; in epoch 3." in text and "More." not in text
    assert "Missing" not in page(tmp_path, go.Figure())


def test_figures_are_linked_and_their_runs_told(runs: list[Any], tmp_path: Path) -> None:
    text = page(tmp_path, origin.mark(go.Figure(), runs), start_time="2026-11-23T07:01:02.3", duration=65.4)
    assert '<a href="../notebooks/one.html#curves">curves</a>' in text and ">The chapter</a>" in text
    assert "<summary>2 of digits, seed 0, 1</summary>kd-T4-a0.9-wd0.0005-s0, kd-T4" in text
    assert "2026\u201111\u201122 to 2026\u201111\u201124" in text and "0123456789 and changes" in text
    assert "A &lt;fast&gt; CPU, 2 threads; Python 3.11.7, torch 2.14.1" in text
    assert "2026-11-23 07:01" in text and "65 s" in text and ">ok<" in text
    assert str(tmp_path) not in text


def test_runs_of_two_studies_that_have_one_name_are_two(tmp_path: Path) -> None:
    """In one figure, and in the steps of one; days from the first to the last, whatever the steps' order."""
    days = {"digits": "2026-11-24", "digits-few": "2026-11-22", "digits-wide": "2026-11-23"}
    made = {name: write(tmp_path / name, kd(4)) for name in days}
    for name, run in made.items():
        session = {**SESSION, "started": days[name] + "T10:00:00"}
        run.write_provenance({"sessions": [session]})
    one, two, _ = made.values()
    assert origin.of([one, two])["runs"] == [f"{name}/{one.path.name}" for name in ("digits", "digits-few")]
    steps = {name: origin.mark(go.Figure(go.Bar(y=[1])), [run]) for name, run in made.items()}
    specs = [figure.to_plotly_json() for figure in steps.values()]
    drawn = status._figure("notebooks/one", Drawn("curves", "", specs[0], None, specs))
    assert "<summary>3 of digits, digits-few, digits-wide, seed 0</summary>" in drawn["runs"]
    assert drawn["trained"].replace("\u2011", "-") == "2026-11-22 to 2026-11-24"


def test_a_chapter_of_which_nothing_is_recorded_is_listed_all_the_same(tmp_path: Path) -> None:
    text = page(tmp_path, go.Figure())
    assert text.count("<td>–</td>") == 3 + 4  # when, how long, which Python; runs, trained, commit, with


def test_the_copy_says_its_commit_only_where_it_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no checkout" in page(tmp_path, go.Figure()) and "plotly" in page(tmp_path, go.Figure())
    for words in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "--allow-empty", "-mx"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    head = provenance.git(tmp_path, "rev-parse", "HEAD")
    assert f"commit `{head[:10]}`, with uncommitted changes" in page(tmp_path, go.Figure())
    monkeypatch.setenv("PATH", "")
    assert "no checkout" in page(tmp_path, go.Figure())  # nor where there is no git
