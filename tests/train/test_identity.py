"""What is asked is what is trained: other settings than those of what lies there are refused or said, never dropped."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import stopped_after, with_teachers

from kdnb import data
from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train import provenance, set_aside
from kdnb.train.loop import train
from kdnb.train.study import method_grid, student_names, train_students

ASKED = StudentParameters(limit=120, epochs=1, methods=("normal",), bystander_seed=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    train_students(replace(ASKED, output_dir=str(made)))
    return made


def test_a_teacher_of_another_network_is_refused(folder: Path) -> None:
    asked = replace(ASKED, output_dir=str(folder), teacher_model="resnet14", seed=1)
    with pytest.raises(ValueError, match="teacher-s0 is a resnet20, and teacher_model is 'resnet14': choose another"):
        train_students(asked)
    with pytest.raises(ValueError, match="unknown model 'nosuchnet'"):
        train_students(replace(asked, teacher_model="nosuchnet"))


def test_a_teacher_of_another_recipe_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_students(replace(ASKED, output_dir=str(folder), batch_size=32, seed=2))
    said = capsys.readouterr().out
    assert "teacher-s0 is there and serves as it is" in said and "be now: batch_size 64, not 32." in said
    train_students(replace(ASKED, output_dir=str(folder), seed=3))
    assert "serves as it is" not in capsys.readouterr().out


def test_a_trials_teacher_teaches_only_where_it_is_asked_to(folder: Path, tmp_path: Path) -> None:
    longer = replace(ASKED, epochs=2, seed=7)
    with pytest.raises(ValueError, match="teacher-s0 was trained for 1 epoch, .* would be for 2: move that"):
        train_students(replace(longer, output_dir=str(folder)))
    (student,) = train_students(replace(longer, output_dir=str(tmp_path), teachers_dir=str(folder)))
    assert student.spec.epochs == 2


def test_a_second_call_says_that_it_trains_nothing_and_what_other_code_made(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(ASKED, output_dir=str(folder))
    (name,) = [run.path.name for run in train_students(asked)]
    said = capsys.readouterr().out
    assert f"finished before, and not trained again: {name}\n" in said and "other code" not in said
    monkeypatch.setattr(provenance, "code_digest", lambda: "a formula that was changed")
    train_students(asked)
    said = capsys.readouterr().out
    assert f"made by other code than there is now: {name}; to train one anew, move its folder away." in said
    train_students(replace(asked, seed=6))
    assert "finished before" not in capsys.readouterr().out


def test_a_run_begun_with_other_code_says_so_when_it_goes_on_and_ever_after(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for a session that ended before its first epoch did."""
    asked = replace(ASKED, output_dir=str(with_teachers(tmp_path / "new", folder)), epochs=2, teachers_dir=str(folder))
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "code_digest", lambda: "before")
        with stopped_after(1):
            train_students(asked)
    capsys.readouterr()
    (run,) = train_students(asked)
    others = f"other code than there is now: {run.path.name}; to train one anew, move its folder away."
    assert f"going on, begun with {others}" in capsys.readouterr().out
    train_students(asked)
    assert f"made by {others}" in capsys.readouterr().out
    now, sessions = provenance.code_digest(), run.provenance["sessions"]
    assert [one["code"] for one in sessions] == ["before", now] and provenance.is_of_other_code(run, now)
    run.write_provenance({"sessions": [sessions[0], sessions[1] | {"first_epoch": 1}]})
    assert not provenance.is_of_other_code(run, now)
    assert set_aside.set_aside(run.path.parent, now) == []
    run.write_provenance({"sessions": sessions})
    assert set_aside.set_aside(run.path.parent, now) == [run.path.name]


def test_a_run_does_not_go_on_with_a_method_whose_file_was_changed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it would be of each formula."""
    asked = replace(ASKED, output_dir=str(with_teachers(tmp_path / "new", folder)), epochs=2, teachers_dir=str(folder))
    with stopped_after(1):
        train_students(asked)
    digest = provenance.method_digest
    assert digest("kd") == digest("normal") != digest("projected") != digest("simkd") != digest("normal")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "method_digest", lambda name: "changed")
        with pytest.raises(ValueError, match="trained in part, and the file of method 'normal' .*Put the file back"):
            train_students(asked)
    (run,) = train_students(asked)
    assert [one["method"] for one in run.provenance["sessions"]] == [digest("normal")] * 2


def test_a_folder_without_a_finished_epoch_holds_no_results(folder: Path) -> None:
    """What a refused or failed call left behind does not stand in the way of the corrected one."""
    asked = replace(ASKED, output_dir=str(folder), seed=4)
    (trained,) = train_students(asked)
    begun = Run(folder / trained.path.name.replace("s4", "s5"))
    begun.begin(replace(trained.spec, init_seed=5, epochs=77))
    assert not begun.has_results and begun.spec.epochs == 77
    (corrected,) = train_students(replace(asked, seed=5))
    assert corrected.path == begun.path and corrected.spec.epochs == 1
    with pytest.raises(ValueError, match="holds results of another spec.*learning_rate: there 0.05, asked 0.01"):
        train_students(replace(asked, seed=5, learning_rate=0.01))


def test_what_is_named_twice_is_trained_once(folder: Path) -> None:
    twice = replace(
        ASKED, output_dir=str(folder), methods=("normal", "kd", "kd:alpha=0.9", "normal"), temperatures=(4, 4)
    )
    assert [name for name, _ in method_grid(twice)] == ["normal", "kd"]
    assert [run.spec.method for run in train_students(twice)] == ["normal", "kd"]


def test_two_runs_of_one_name_are_refused(folder: Path) -> None:
    """Names round numbers: one of the two would be left out in silence."""
    close = replace(ASKED, output_dir=str(folder), methods=("kd",), temperatures=(1e5, 100000.4))
    said = r"called kd-T100000-a0.9-wd0.0005-s0, and they differ \(temperature: 100000.0 and 100000.4\).*six digits"
    for refusing in (method_grid, student_names, train_students):
        with pytest.raises(ValueError, match=said):
            refusing(close)
    (run,) = train_students(replace(ASKED, output_dir=str(folder)))
    other = replace(run.spec, learning_rate=0.1)
    with pytest.raises(ValueError, match=rf"called {run.path.name}, .*\(learning_rate: 0.05 and 0.1\)"):
        train([run.spec, run.spec, other], folder, data.load("digits", limit=120), torch.device("cpu"))


def test_nesterov_without_momentum_is_refused_in_our_words() -> None:
    with pytest.raises(ValueError, match="momentum is 0 and nesterov is true"):
        replace(ASKED, momentum=0)
