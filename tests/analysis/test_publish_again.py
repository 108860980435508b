"""Publishing once more, and what is refused: nothing is ever put in the place of something else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Train

from kdnb import __main__ as command_line
from kdnb import paths, runs
from kdnb.analysis import publish, staging
from kdnb.analysis.separation import Atlas
from kdnb.analysis.spaces import final
from kdnb.runs import PublishedRun, Run

HIGH = "kd-T4-a0.9-wd0.0005-s0"


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(f.relative_to(folder)): (f.stat().st_mtime_ns, f.read_bytes()) for f in folder.rglob("*") if f.is_file()
    }


@pytest.fixture
def copied(tiny_folder: Path, published: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Full and published runs of the test's own."""
    shutil.copytree(tiny_folder, tmp_path / "runs")
    shutil.copytree(published, tmp_path / "results")
    return tmp_path / "runs", tmp_path / "results"


def test_a_second_call_writes_nothing_and_a_lost_run_alone_is_made_again(copied: tuple[Path, Path]) -> None:
    full, small = copied
    before = contents(small)
    assert publish.publish(full, small) == []
    assert contents(small) == before
    (small / HIGH / "finished").unlink()  # as a kill leaves it
    (small / HIGH / "map.safetensors").write_bytes(b"half")
    assert [run.path.name for run in publish.publish(full, small)] == [HIGH]
    assert {name: content for name, (_, content) in contents(small).items()} == {n: c for n, (_, c) in before.items()}


def test_a_run_that_was_trained_again_is_published_again(copied: tuple[Path, Path]) -> None:
    full, small = copied
    history = full / HIGH / "history.parquet"
    pd.read_parquet(history).assign(loss=1.0).to_parquet(history)
    assert [run.path.name for run in publish.publish(full, small)] == [HIGH]
    assert (runs.run_in(small / HIGH).history["loss"] == 1).all()


def test_unfinished_runs_are_named_and_left_out(copied: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    full, small = copied
    (full / HIGH / "history.parquet").unlink()
    before = contents(small)
    assert command_line.main(["publish", "--profile", "digits", "--runs", str(full), "--output", str(small)]) == 0
    assert f"not finished, and left out: {HIGH}\n" in capsys.readouterr().out
    assert contents(small) == before


def test_teachers_can_be_published_before_their_students(tiny_folder: Path, published: Path, tmp_path: Path) -> None:
    for name in ("teacher-s0", "teacher-s1"):
        shutil.copytree(tiny_folder / name, tmp_path / "runs" / name)
    publish.publish(tmp_path / "runs", tmp_path / "results")
    teachers = {name: content for name, (_, content) in contents(published).items() if name.startswith("teacher")}
    assert {name: content for name, (_, content) in contents(tmp_path / "results").items()} == teachers
    made = publish.publish(tiny_folder, tmp_path / "results")
    assert made and all(run.spec.role == "student" for run in made)


def test_maps_of_the_same_weights_are_not_drawn_again(
    copied: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history with another column is published anew; the maps, which it has no part in, are those of before."""
    full, small = copied
    history, maps = full / HIGH / "history.parquet", (small / HIGH / "map.safetensors").read_bytes()
    pd.read_parquet(history).assign(new=1.0).to_parquet(history)
    measures = {which: runs.run_in(small / HIGH).told[which] for which in publish.WHICH}
    monkeypatch.setattr(publish, "_write_map", None)
    assert [run.path.name for run in publish.publish(full, small)] == [HIGH]
    again = runs.run_in(small / HIGH)
    assert (again.history["new"] == 1).all() and (again.path / "map.safetensors").read_bytes() == maps
    assert {which: again.told[which] for which in publish.WHICH} == measures


def test_results_of_another_spec_and_full_runs_are_never_overwritten(copied: tuple[Path, Path]) -> None:
    full, small = copied
    spec = json.loads((small / HIGH / "spec.json").read_text())
    (small / HIGH / "spec.json").write_text(json.dumps({**spec, "batch_size": 32}))
    with pytest.raises(ValueError, match="another spec.*batch_size"):
        publish.publish(full, small)
    before = contents(full)
    with pytest.raises(ValueError, match="holds a full run"):
        publish.publish(full, full)
    assert contents(full) == before


@pytest.mark.parametrize(("limit", "words"), [("RUN_BYTES", f"above 0.01 MB.*{HIGH}"), ("ALL_BYTES", "publish fewer")])
def test_too_large_results_are_refused_and_nothing_is_published(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(publish, limit, 10_000)
    with pytest.raises(ValueError, match=words):
        publish.publish(tiny_folder, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_folder_without_runs_or_without_the_teacher_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no finished runs"):
        publish.publish(tmp_path, tmp_path / "results")
    shutil.copytree(tiny_folder / HIGH, tmp_path / "runs" / HIGH)
    with pytest.raises(ValueError, match="neither .* has the teacher of these students"):
        publish.publish(tmp_path / "runs", tmp_path / "results")


def test_students_of_two_teachers_are_no_study(copied: tuple[Path, Path]) -> None:
    """Maps and distances of rows would be those to the first teacher, whoever taught."""
    full, small = copied
    spec = json.loads((full / HIGH / "spec.json").read_text())
    other = Run(full / "teacher-s1").weights_checksum
    (full / HIGH / "spec.json").write_text(json.dumps({**spec, "teacher": {**spec["teacher"], "checksum": other}}))
    before = contents(small)
    with pytest.raises(ValueError, match="holds students of 2 teachers.*a folder of their own"):
        publish.publish(full, small)
    assert contents(small) == before


def test_students_of_a_teacher_in_a_file_are_refused_with_the_reason(copied: tuple[Path, Path]) -> None:
    full, small = copied
    shutil.rmtree(full / "teacher-s0")
    shutil.rmtree(small / "teacher-s0")
    with pytest.raises(ValueError, match="the teacher of these students.*in a file .teacher_weights. there is no run"):
        publish.publish(full, small)


def test_students_of_a_published_teacher_are_published_without_its_own_run(copied: tuple[Path, Path]) -> None:
    """Their maps start from its published map; its rounded classifier is as far from theirs as the trained one was."""
    full, small = copied
    before = runs.run_in(small / HIGH)
    distances = before.row_distances(before)
    for gone in (*full.glob("teacher-*"), *small.glob("[!t]*")):
        shutil.rmtree(gone)
    kept = contents(small)
    made = {run.path.name for run in publish.publish(full, small)}
    assert made == {run.path.name for run in runs.find(full, role="student")} and len(made) > 3
    assert contents(small).items() > kept.items()
    again = runs.run_in(small / HIGH)
    assert isinstance(again, PublishedRun) and again.told["map"]["reference_published"]
    np.testing.assert_allclose(again.row_distances(again), distances, rtol=2e-3)
    teacher, found, taken = runs.run_in(small / "teacher-s0"), again.publication("final", "test"), full / HIGH
    assert isinstance(teacher, PublishedRun) and found is not None and (start := teacher.publication("final", "test"))
    features = final(Run(taken)).features[publish.subset(final(Run(taken)).labels)]
    expected = Atlas.around(start.points, publish.PERPLEXITY, publish.MAP_SEED).map(features)
    np.testing.assert_allclose(found.points, expected, rtol=1e-3)
    assert publish.publish(full, small) == []


def test_a_drop_beyond_the_last_epoch_keeps_the_last(train: Train) -> None:
    """As runs had that were trained before such drops were refused."""
    (run,) = train(methods=["normal"], epochs=3)
    run.__dict__["spec"] = replace(run.spec, drops=(150,))
    assert publish.kept_epochs(run) == [1, 3]


def test_a_mixture_of_an_old_and_a_new_publication_is_no_run(
    copied: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while files are moved: neither mark of a whole run is left, and the next call publishes it."""
    full, small = copied
    (small / HIGH / "finished").unlink()
    moved: list[Path] = []
    replace_file = Path.replace

    def stops(file: Path, to: Path) -> Path:
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(file)
        return replace_file(file, to)

    made = publish.build(
        publish.Source.find(full, small), Run(full / HIGH), full.parent / "staged", PublishedRun(small)
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", stops)
        staging.install(made, small)
    assert HIGH not in [run.path.name for run in runs.find(small)]
    assert [run.path.name for run in publish.publish(full, small)] == [HIGH]


def test_where_nothing_can_be_written_the_way_out_is_said(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="nothing can be written in .*file/results: .*; choose another folder"):
        publish.publish(tiny_folder, tmp_path / "file" / "results" / "digits")


def test_what_the_repository_publishes_can_be_read_and_is_small() -> None:
    """Results outlive the code that made them: a change that cannot read them any more shows here."""
    for folder in (paths.root() / "results").glob("*"):
        every = runs.find(folder)
        assert every and all(run.is_published and run.history["epoch"].iloc[-1] == run.spec.epochs for run in every)
        assert publish.size(folder) <= publish.ALL_BYTES
        assert all(publish.size(run.path, without="model.safetensors") <= publish.RUN_BYTES for run in every)


def test_a_part_that_is_gone_is_made_anew_and_a_damaged_one_is_named(copied: tuple[Path, Path]) -> None:
    full, small = copied
    before = contents(small)
    lost = {HIGH: "map.safetensors", "teacher-s0": "history.parquet", "teacher-s1": "classifier.safetensors"}
    for name, part in lost.items():
        (small / name / part).unlink()
    assert {run.path.name for run in publish.publish(full, small)} == set(lost)
    assert {name: content for name, (_, content) in contents(small).items()} == {n: c for n, (_, c) in before.items()}
    for name, part in lost.items():
        whole = (small / name / part).read_bytes()
        (small / name / part).write_bytes(whole[:50])
        with pytest.raises(ValueError, match=f"{name}/{part} is damaged"):
            publish.publish(full, small)
        (small / name / part).write_bytes(whole)


def test_runs_without_their_features_and_of_other_images_are_refused(copied: tuple[Path, Path], tmp_path: Path) -> None:
    full, new = copied[0], tmp_path / "new"
    spec = full / HIGH / "spec.json"
    whole = spec.read_text()
    spec.write_text(json.dumps(json.loads(whole) | {"data_checksum": "another"}))
    with pytest.raises(ValueError, match=r"are of other images \(data_checksum"):
        publish.publish(full, new)
    spec.write_text(whole)
    (full / HIGH / "features-final.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=f"{HIGH} has lost features-final.safetensors; put it back"):
        publish.publish(full, new)
    with pytest.raises(FileNotFoundError, match="published without its outputs; name the folder of the full runs"):
        publish.publish(copied[1], new)
    assert not new.exists()


def test_too_few_images_for_a_map_are_refused_before_any_work(
    copied: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "PERPLEXITY", 128)
    monkeypatch.setattr(publish, "build", None)
    with pytest.raises(ValueError, match="have 128 test images.* takes more than 128: train with a limit above that"):
        publish.publish(copied[0], tmp_path / "new")


def test_a_copied_run_is_published_once(copied: tuple[Path, Path], tmp_path: Path) -> None:
    full, _ = copied
    shutil.copytree(full / HIGH, full / "a copy")
    made = publish.publish(full, tmp_path / "new")
    assert len(made) == len({run.path for run in made}) == len(list((tmp_path / "new").iterdir()))


def test_what_was_made_before_a_stop_is_kept_and_the_rest_is_made(
    tiny_folder: Path,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn: list[str] = []
    draw = publish._write_map

    def stops_at_the_third(source: publish.Source, run: Run, made: Run) -> dict[str, object]:
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(run.path.name)
        return draw(source, run, made)

    small = tmp_path / "results"
    asked = ["publish", "--profile", "digits", "--runs", str(tiny_folder), "--output", str(small)]
    with monkeypatch.context() as patch:
        patch.setattr(publish, "_write_map", stops_at_the_third)
        assert command_line.main(asked) == 130
    assert "no file is half written" in capsys.readouterr().err and not small.exists()
    again: list[str] = []
    monkeypatch.setattr(publish, "_write_map", lambda *given: (again.append(given[1].path.name), draw(*given))[1])
    assert command_line.main(asked) == 0
    assert len(drawn) == 2 and again and not {*drawn} & {*again}
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert {name: content for name, (_, content) in contents(small).items()} == {
        name: content for name, (_, content) in contents(published).items()
    }


@pytest.mark.parametrize("part", ["spec.json", "published.json", "history.parquet", "finished"])
def test_what_a_stop_left_of_other_runs_or_in_halves_is_made_anew(copied: tuple[Path, Path], part: str) -> None:
    full, small = copied
    before = contents(small)
    left = small.parent / ".publish-results" / HIGH
    shutil.copytree(small / HIGH, left)
    for place in (left, small / HIGH):
        (place / "finished").unlink()
    if part != "finished":
        (left / "finished").touch()
        spec = json.loads((left / "spec.json").read_text()) | {"batch_size": 32}
        (left / part).write_text(json.dumps(spec) if part == "spec.json" else "{")
    assert [run.path.name for run in publish.publish(full, small)] == [HIGH]
    assert {name: content for name, (_, content) in contents(small).items()} == {n: c for n, (_, c) in before.items()}


def test_two_calls_at_once_are_one_and_a_refusal(copied: tuple[Path, Path]) -> None:
    full, small = copied
    with staging.beside(small), pytest.raises(OSError, match="another call publishes into .*results; run again"):
        publish.publish(full, small)


def test_a_teacher_trained_anew_takes_not_the_place_of_the_published_students(copied: tuple[Path, Path]) -> None:
    full, small = copied
    for folder in full.glob("*-wd*"):
        shutil.rmtree(folder)
    for file in (full / "teacher-s1").glob("*.safetensors"):
        shutil.copy(file, full / "teacher-s0")
    before = contents(small)
    with pytest.raises(ValueError, match=r"-wd0.0005-s0 was trained with another teacher of that name"):
        publish.publish(full, small)
    assert contents(small) == before
