"""A sweep at a glance: each state from a folder alone, half-written ones too, and nothing is written."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Train, stopped_after, with_teachers

from kdnb.__main__ import main
from kdnb.runs import Run
from kdnb.sweep import configuration, status, status_words
from kdnb.sweep.status import look

KD = "kd-T4-a0.9-wd0.0005-s0"


@pytest.fixture
def stopped(train: Train, tmp_path: Path) -> Path:
    """A run of three epochs, stopped after the second, as if an epoch took a minute."""
    with stopped_after(2):
        train(methods=["kd"], temperatures=[4])
    run = tmp_path / KD
    for file in run.rglob("*"):
        os.utime(file, (1000, 1000))
    for epoch in (1, 2):
        os.utime(run / "trace" / f"{epoch:04d}.safetensors", (1000 + 60 * epoch,) * 2)
    return run


@pytest.fixture
def locked(stopped: Path) -> Iterator[Path]:
    """The same while a job is at work on it."""
    with (stopped / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield stopped


def test_a_finished_run_is_done_and_none_is_missing(tiny_folder: Path, tmp_path: Path) -> None:
    found = look(tiny_folder / KD)
    assert (found.state, found.epoch, found.epochs, found.seconds_left) == ("done", 3, 3, None)
    assert look(tmp_path / "nothing").state == "missing"


def test_a_stopped_run_says_how_far_it_came(stopped: Path) -> None:
    found = look(stopped, now=1120 + 720)
    assert (found.state, found.epoch, found.epochs, found.seconds, found.age) == ("stopped", 2, 3, 60, 720)
    assert found.seconds_left is None
    assert "epoch 2 of 3, 60 s an epoch, last seen 12 min ago" in status_words.text("x", {"all": [found]})


def test_a_held_lock_is_a_run_at_work_however_long_ago_its_epoch(locked: Path) -> None:
    found = look(locked, now=1120 + 9e6)
    assert found.state == "running" and found.seconds_left == 60 and not found.note


def test_a_free_lock_is_judged_by_the_last_epoch(stopped: Path) -> None:
    (stopped / "lock").touch()
    soon, late = look(stopped, now=1120 + 3 * 60 - 1), look(stopped, now=1120 + 3 * 60 + 1)
    assert soon.state == "running" and "its lock is free here" in soon.note
    assert late.state == "stopped" and not late.note


def test_a_failed_run_keeps_its_error_until_the_work_goes_on(train: Train, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError):
        train(methods=["kd", "normal"], temperatures=[4], learning_rate=1e20)
    found = look(tmp_path / KD)
    assert found.state == "failed" and f"{KD}: " in found.note and "in epoch 1" in found.note
    shutil.rmtree(tmp_path / KD)
    train(methods=["kd"], temperatures=[4], epochs=1)
    assert look(tmp_path / KD).state == "done"


def test_it_has_failed_while_the_others_of_its_group_go_on(locked: Path) -> None:
    Run(locked).write_failure(ValueError("loss_kd is nan in epoch 3"))
    assert look(locked).state == "failed"


def test_half_written_folders_are_told_and_stop_nothing(stopped: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".spec.json.7.tmp").write_text('{"ro')
    assert look(tmp_path / "empty").state == look(tmp_path / "begun").state == "missing"
    (stopped / "checkpoint.safetensors").write_bytes(b"cut")
    found = look(stopped)
    assert found.state == "failed" and "checkpoint.safetensors is damaged" in found.note
    (stopped / "checkpoint.safetensors").unlink()
    assert (look(stopped).state, look(stopped).epoch) == ("stopped", 0)
    (stopped / "spec.json").write_text('{"ro')
    assert look(stopped).state == "failed" and "spec.json cannot be read" in look(stopped).note


def test_looking_writes_nothing(locked: Path, tmp_path: Path) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(tmp_path.rglob("*"))}

    before = everything()
    status_words.text("x", status.survey(status.found(tmp_path)))
    assert everything() == before


# What a configuration asks for.


def config(folder: Path) -> Path:
    file = folder / "small.yaml"
    file.write_text(
        "profile: digits\nteachers: [0, 1]\ncommon: {limit: 128, epochs: 3}\n"
        "students:\n  all: {methods: [normal, kd], temperatures: [1, 4], seed: [0, 1]}\n"
    )
    return file


def test_the_configuration_says_what_is_missing(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(config(tmp_path)), "--runs", str(tiny_folder)]) == 0
    said = capsys.readouterr().out
    assert "5 of 8 runs done; 3 missing" in said
    assert "missing: normal-wd0.0005-s1, kd-T1-a0.9-wd0.0005-s1, kd-T4-a0.9-wd0.0005-s1" in said
    assert [line.split() for line in said.splitlines() if line.startswith("all_s")] == [
        ["all_s0", "3", "-", "-", "-", "-"],
        ["all_s1", "-", "-", "-", "-", "3"],
    ]


def test_a_folder_of_runs_is_looked_at_without_a_configuration(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tiny_folder)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"all runs in {tiny_folder}") and "7 of 7 runs done" in said
    gone = tmp_path / "gone"
    for words, refusal in (
        ([str(tmp_path)], f"{tmp_path} holds no runs; name their folder."),
        ([str(tmp_path), "--runs", str(tiny_folder)], f"{tmp_path} is itself a folder of runs: leave --runs out."),
        (["digits", "--runs", str(gone)], f"runs is {str(gone)!r}, and there is no such folder"),
        ([str(gone)], "unknown configuration"),
    ):
        assert main(["status", *words]) == 2
        assert refusal in capsys.readouterr().err


def test_a_trial_in_the_studys_folder_is_not_what_was_asked(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path)
    file.write_text(file.read_text().replace("epochs: 3", "epochs: 4, learning_rate: 0.1"))
    assert main(["status", str(file), "--runs", str(tiny_folder)]) == 0
    said = capsys.readouterr().out
    assert "0 of 8 runs done; 5 failed, 3 missing" in said
    assert "epoch 3 of 3" in said and "(epochs 3, not 4; learning_rate 0.05, not 0.1; drops (2, 2, 3), not" in said
    assert "move its folder away to train this one" in said


def test_a_trial_with_few_images_is_told_by_how_many(tiny_folder: Path, published: Path, tmp_path: Path) -> None:
    assert look(tiny_folder / KD).tested == look(published / KD).tested == 128
    shutil.copytree(published / KD, tmp_path / KD)
    told = tmp_path / KD / "published.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"test_images": 10_000}))
    survey = status.survey(status.found(tiny_folder) | status.found(tmp_path))
    line = "test images of what is done: 128 (7 runs), 10,000 (1 run)"
    assert line in status_words.text("x", survey) and line in status_words.page("x", survey, "now")
    told.unlink()
    assert look(tmp_path / KD).state == "done" and look(tmp_path / KD).tested is None
    assert "test images" not in status_words.text("x", status.survey(status.found(tmp_path)))


def test_a_teacher_of_another_recipe_teaches_and_is_done(tiny_folder: Path) -> None:
    def state(run: str, **settings: object) -> str:
        return look(tiny_folder / run, settings=settings).state

    assert state("teacher-s0", epochs=2, learning_rate=0.1) == "done"
    assert state("teacher-s0", epochs=4) == state(KD, epochs=2) == state(KD, learning_rate=0.1) == "failed"


def test_what_two_groups_ask_for_is_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("profile: digits\nteachers: [0]\nstudents: {a: {methods: [normal]}, b: {methods: [normal, mse]}}\n")
    folders = configuration.read(str(file)).folders()
    assert {name: len(some) for name, some in folders.items()} == {"teachers": 2, "a": 1, "b": 1}  # and the bystander


def test_groups_that_differ_in_a_run_of_both_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "twice.yaml"
    students = "{a: {methods: [normal]}, b: {methods: [normal], epochs: 3}}"
    file.write_text(f"profile: digits\nteachers: [0]\nstudents: {students}\n")
    assert main(["plan", str(file)]) == 2
    assert f"{file}: the groups a and b both ask for normal-wd0.0005-s0" in capsys.readouterr().err


@pytest.mark.parametrize("name", configuration.known())
def test_every_configuration_of_the_repository_is_read(name: str) -> None:
    assert configuration.read(name).folders()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is no YAML"),
        ("profile: digits", "must say teachers (seeds), students (parameters by group): see config/digits.yaml"),
        ("[profile]", "must say profile, teachers (seeds), students"),
        ("{profile: digitz, teachers: [], students: {}}", "unknown profile 'digitz'"),
        ("{profile: digits, teachers: [], students: {a: {epohcs: 3}}}", "unknown parameter 'epohcs'"),
        ("{profile: digits, teachers: [], students: }", "students is None; it must be groups by name, each of"),
        ("{profile: digits, teachers: [], students: [kd]}", "students is ['kd']; it must be groups by name"),
        ("{profile: digits, teachers: [], students: {a: }}", "students: a is None; it must be parameters by name"),
        ("{profile: digits, teachers: [], students: {a: {}}, common: [1]}", "common is [1]; it must be parameters"),
        ("{profile: digits, teachers: [], students: {}, common: {output_dir: x}}", "common has output_dir 'x', and"),
        ("{profile: digits, teachers: 0, students: {}}", "teachers is 0; it must be a list of seeds, as in [0, 1]"),
        ("{profile: digits, teachers: '01', students: {}}", "teachers is '01'; it must be a list of seeds"),
        ("{profile: digits, teachers: [a], students: {}}", "teachers is ['a']; it must be a list of seeds"),
        ("{profile: digits, teachers: [], students: {}, runs_a_job: two}", "runs_a_job is 'two'; it must be a whole"),
        (
            "{profile: digits, teachers: [], students: {}, run: x}",
            "unknown word of a configuration 'run'; known: ",
        ),
        ("{profile: digits, teachers: [], students: {}, gpu_a_job: 0}", "Did you mean 'gpus_a_job'?"),
        ("{profile: digits, teachers: [], students: {}, runs: 3}", "runs is 3; it must be the path of a folder"),
    ],
)
def test_a_bad_configuration_is_refused(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text(content)
    for command in ("status", "plan"):
        assert main([command, str(tmp_path / "bad.yaml")]) == 2
        told = capsys.readouterr().err
        assert said in told and str(tmp_path / "bad.yaml") in told


def test_an_unknown_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "digts"]) == 2
    assert "unknown configuration 'digts'" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "kdnb", "status", "cifar100-long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 141


class Texts(HTMLParser):
    """The tags of a page, and what is written in its cells."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_holds_the_same_and_needs_nothing_beside_itself(
    stopped: Path, tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(stopped).write_failure(ValueError("loss <kd> is nan"))
    page = tmp_path / "status.html"
    assert main(["status", str(config(tmp_path)), "--runs", str(tmp_path), "--page", str(page)]) == 0
    found = Texts(page.read_text())
    assert not {"script", "img", "link", "iframe"} & set(found.tags) and not found.addresses
    assert {"loss <kd> is nan", KD, "failed", "epoch 2 of 3, 60 s an epoch"} <= {
        part for text in found.texts for part in (text, text.rpartition(", last")[0])
    }
    assert "2 of 8 runs done; 1 failed, 5 missing" in capsys.readouterr().out


def test_teachers_of_another_folder_are_seen_through_links(tmp_path: Path, tiny_folder: Path) -> None:
    with_teachers(tmp_path / "linked", tiny_folder)
    assert look(tmp_path / "linked" / "teacher-s0").state == "done"
