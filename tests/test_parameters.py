"""Parameters and methods: every refusal names the value, the rule and the way out."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kdnb import __main__ as command_line
from kdnb import __version__, methods, models
from kdnb.analysis.selection import ChapterParameters, StudiesParameters
from kdnb.methods.base import Step
from kdnb.models import Output
from kdnb.parameters import StudentParameters, TeacherParameters, read, rule_of
from kdnb.profiles import scaled_drops
from kdnb.train import study


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperatures": [0]}, r"temperatures holds 0; each of it must be a number greater than 0, at most 1e\+06"),
        ({"temperatures": [-1, 4]}, r"temperatures holds -1"),
        ({"temperatures": [float("nan")]}, r"temperatures holds nan"),
        ({"temperatures": ["four"]}, r"temperatures holds 'four'; each of it must be a number"),
        (
            {"temperatures": "[1, 4]"},
            r"temperatures is '\[1, 4\]'; it must be a list that is not empty.*-y 'temperatures: \[1, 4\]'",
        ),
        ({"methods": []}, r"methods is \[\]; it must be a list that is not empty, of which each is a text"),
        ({"methods": ["normal", False]}, r"methods holds False.* a text. YAML reads 'no' or 'off' without quotes"),
        ({"alpha": 1.5}, r"alpha is 1.5; it must be a number from 0 to 1"),
        ({"alpha": True}, r"alpha is True; it must be a number .* YAML reads 'yes' or 'on'"),
        ({"epochs": 0}, r"epochs is 0; it must be a whole number from 1 up"),
        ({"epochs": "many"}, r"epochs is 'many'; it must be a whole number from 1 up or None"),
        ({"seed": 1.5}, r"seed is 1.5; it must be a whole number"),
        ({"squared": 0.5}, r"squared is 0.5; it must be true or false"),
        ({"drops": 5}, r"drops is 5; it must be a list, of which each is a whole number from 0 up or None"),
        ({"drops": [2, 1]}, r"drops is \[2, 1\]; its epochs must rise: \[1, 2\]"),
        ({"drops": [1, 2, 2]}, r"drops is \[1, 2, 2\]; its epochs must rise: \[1, 2\]"),
        (
            {"drops": [9, 240]},
            r"drops holds 240, and training ends after epoch 240: .*\[150, 180, 210\], \[\] for never",
        ),
        ({"drops": [9], "epochs": 8}, r"drops holds 9, and training ends after epoch 8: .*for \[5, 6, 7\]"),
        ({"output_dir": ""}, r"output_dir is ''; it must be a text or None. An empty text is none: is a variable"),
        ({"teacher_weights": " "}, r"teacher_weights is ' '; it must be a text or None. An empty text is none"),
        ({"methods": ["kd", ""]}, r"methods is \['kd', ''\]; .* An empty text is none"),
        ({"learning_rate": 0}, r"learning_rate is 0"),
        ({"weight_decay": float("inf")}, r"weight_decay is inf; it must be a number from 0 up"),
        ({"bystander_seed": 0}, r"bystander_seed is 0, the teacher's own"),
        ({"matched_on": "train"}, "matched_on is 'train'; it must be 'clean_accuracy' or 'test_top5_accuracy'"),
        ({"teacher_outputs": "tabel"}, "teacher_outputs is 'tabel'; it must be 'live' or 'table' or None"),
        ({"epoch": 3}, r"unknown parameter 'epoch'; known: .*epochs"),
    ],
)
def test_bad_values_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudentParameters(**given)


def test_yaml_s_none_is_nothing_where_a_field_may_be_empty() -> None:
    """As on the command line; else it was a folder of that name."""
    given = StudentParameters(teachers_dir="None", data_dir="none", bystander_seed="None", epochs="None")  # type: ignore[arg-type]
    assert (given.teachers_dir, given.data_dir, given.bystander_seed, given.epochs) == (None,) * 4
    with pytest.raises(ValueError, match="seed is 'None'; it must be a whole number"):
        StudentParameters(seed="None")  # type: ignore[arg-type]


def test_an_empty_path_is_refused_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Never read as the current folder."""
    with pytest.raises(SystemExit):
        command_line.parse(["publish", "--profile", "digits", "--runs", ""])
    assert "runs is ''; it must be a path or None" in capsys.readouterr().err


def test_drops_are_never_as_in_yaml_or_with_nothing_behind_them() -> None:
    for words in (["--drops", "[]"], ["--drops"]):
        asked = command_line.parse(["students", *words])
        assert isinstance(asked, StudentParameters) and asked.drops == ()


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ValueError) as refused:
        StudentParameters(epochs=0, alpha=2, temperatures=[-1])
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["epochs", "temperatures", "alpha"]


def test_what_papermill_and_yaml_hand_over_as_text_counts_as_what_it_is() -> None:
    """YAML reads 5e-4 as a text, and ``-p nesterov false`` is one."""
    given = StudentParameters(weight_decay="5e-4", nesterov="false", temperatures=["1", 4], epochs="7")
    assert (given.weight_decay, given.nesterov, given.temperatures, given.epochs) == (5e-4, False, (1.0, 4.0), 7)


@pytest.mark.parametrize("kind", [TeacherParameters, StudentParameters, ChapterParameters, StudiesParameters])
def test_every_field_has_a_rule_in_words_and_a_default_that_keeps_it(kind: type) -> None:
    made = kind()
    for field in fields(kind):
        assert rule_of(field.type)
        assert getattr(made, field.name) == getattr(kind(**{field.name: getattr(made, field.name)}), field.name)


def test_a_notebooks_plain_variables_are_its_parameters() -> None:
    namespace = {"profile": "digits", "epochs": 5, "_i1": "text", "In": [], "pandas": pytest, "read": read}
    assert read(namespace, TeacherParameters) == TeacherParameters(epochs=5)
    with pytest.raises(ValueError, match="unknown parameter 'epoch'.*Did you mean 'epochs'"):
        read({**namespace, "epoch": 3}, TeacherParameters)
    with pytest.raises(ValueError, match=r"temperatures is '\[1, 4\]'; it must be a list that is not empty"):
        read({**namespace, "temperatures": "[1, 4]"}, StudentParameters)


def test_a_kernel_in_which_all_is_run_again_reads_its_parameters_again() -> None:
    """IPython keeps what was run in ``In``: what code made is the notebook's, what a cell of literals set not."""
    cells = ["epochs = 5  # passes\nseed = -1", "runs = train(read(globals()))\nfor k in runs: pass", "%pip install x"]
    namespace = {"In": cells, "epochs": 5, "runs": [1], "k": 1}
    assert read(namespace, TeacherParameters) == TeacherParameters(epochs=5)
    with pytest.raises(ValueError, match="'epoch'"):
        read({**namespace, "In": [*cells, "epoch = 7"], "epoch": 7}, TeacherParameters)
    with pytest.raises(ValueError, match="unknown parameter 'runs'"):  # outside of IPython; the first of them
        read({**namespace, "In": []}, TeacherParameters)


def test_the_command_line_has_the_notebooks_parameters() -> None:
    words = ["students", "--temperatures", "1", "4", "--no-nesterov", "--epochs", "7", "--bystander-seed", "None"]
    expected = StudentParameters(temperatures=[1.0, 4.0], nesterov=False, epochs=7, bystander_seed=None)
    assert command_line.parse(words) == expected
    assert command_line.parse([*words[:4], "--nesterov", "False", *words[5:]]) == expected


@pytest.mark.parametrize(
    ("kind", "least"),
    [("teacher", 20), ("students", 30), ("publish", 3), ("compare", 5), ("representability", 4), ("crossed", 3)]
    + [("book", 4), ("data", 1), ("set-aside", 0)],
)
def test_help_explains_every_option(kind: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command_line.main([kind, "--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0
    lines = [line.strip("│ ") for line in said.split("options", 2)[-1].splitlines()]
    starts = [place for place, line in enumerate(lines) if line.startswith("--")]
    assert len(starts) >= least
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        words = re.sub(
            r"--[\w-]+,?|\(default:.*\)|[{}|\[\]]|None|STR|INT|FLOAT|PATH|\.\.\.", "", " ".join(lines[start:end])
        )
        assert len(words.split()) >= 2, lines[start]


def test_a_path_and_a_count_come_as_what_they_are() -> None:
    words = ["compare", "--profile", "digits", "--runs", "one", "two", "--output", "three", "--limit", "7"]
    asked = command_line.parse(words)
    assert isinstance(asked, command_line.Compare)
    assert (asked.runs, asked.output, asked.data_dir, asked.limit) == (
        (Path("one"), Path("two")),
        Path("three"),
        None,
        7,
    )
    assert command_line.parse(["set-aside", "runs"]) == command_line.SetAside(folder=Path("runs"))


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--version"]) == 0 and capsys.readouterr().out == f"kdnb {__version__}\n"
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    assert "kdnb --version" in capsys.readouterr().out


def test_the_command_line_refuses_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["students", "--methods", "kdd"]) == 2
    assert (
        "unknown method 'kdd'; known: at, crd, dist, " in (said := capsys.readouterr().err)
        and "Did you mean 'kd'?" in said
    )
    assert command_line.main(["teacher", "--profile", "digit"]) == 2
    assert "unknown profile 'digit'" in capsys.readouterr().err
    assert command_line.main(["teacher", "--dataset", "mnist"]) == 2
    assert "unknown data set 'mnist'" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert command_line.main(["teacher", "--device", "cuda"]) == 2
        assert "'cuda' was asked for, and this machine has none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["students", "--epochs", "0"], "epochs is '0'; it must be a whole number"),
        (["students", "--epoch", "3"], "Perhaps you meant"),
        (["studens"], "Available subcommands: teacher, students"),
    ],
)
def test_words_and_values_that_are_refused_end_with_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        command_line.main(words)
    assert stop.value.code == 2 and said in re.sub(r"\s*│\n│\s*", " ", capsys.readouterr().err)


def test_drops_scale_with_the_epochs() -> None:
    assert scaled_drops(240) == (150, 180, 210)
    assert scaled_drops(24) == (15, 18, 21)


def test_unknown_parameters_of_a_method_are_named() -> None:
    with pytest.raises(ValueError, match="unknown parameter of method 'kd' 'temprature'.*'temperature'"):
        methods.create("kd", {"temprature": 4})
    with pytest.raises(ValueError, match="'normal' takes no parameters"):
        methods.create("normal", {"alpha": 0.5})


def test_a_truth_value_of_a_method_is_one_again_after_the_run_store_kept_it_as_a_number() -> None:
    for squared in (True, False):
        kept = methods.parameters_of(methods.create("kd", {"squared": squared}))
        assert [type(value) for value in kept.values()] == [float] * 3 and kept["squared"] == squared
        assert methods.create("kd", kept).squared is squared  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"squared is 2.0; it must be 1 \(true\) or 0 \(false\)"):
        methods.create(*methods.parse("kd:squared=2"))


def test_what_a_method_sweeps_it_says_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """One student for each temperature where its class asks for it, and one where not, with labels to match."""
    chosen = StudentParameters(methods=("dist", "started"), temperatures=(1, 2.5))
    assert [name for name, _ in study.method_grid(chosen)] == ["dist", "started"]
    monkeypatch.setattr(methods.METHODS["dist"], "swept", "temperature")
    labels = [methods.label(*one) for one in study.method_grid(chosen)]
    assert labels == ["DIST T=1", "DIST T=2.5", "started at W_t"]


@pytest.fixture
def outputs() -> tuple[Output, Output, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(6, 5, generator=rng, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(5, (6,), generator=rng)
    return Output((), student, student), Output((), teacher, teacher), labels


def step(student: Output, teacher: Output | None, labels: torch.Tensor) -> Step:
    """A batch as answers alone show it."""
    return Step(student, teacher, labels, torch.arange(len(labels)), models.create("resnet8", 10), nn.Module())


def test_the_losses_of_the_methods(outputs: tuple[Output, Output, torch.Tensor]) -> None:
    """Each method's sum against its formula, written out."""
    student, teacher, labels = outputs
    s, t = student.logits, teacher.logits
    ce = F.cross_entropy(s, labels)
    p = torch.softmax(t / 3, 1)
    kl = (p * (p.log() - torch.log_softmax(s / 3, 1))).sum(1).mean()
    formulas = {
        ("normal",): ce,
        ("kd", 3.0, 0.7): 0.3 * ce + 0.7 * 9 * kl,
        ("mse", 0.7): 0.3 * ce + 0.7 * 0.5 * ((s - t) ** 2).mean(),
    }
    for (name, *values), expected in formulas.items():
        method = methods.create(name, dict(zip(methods.parameter_names(name), values, strict=False)))
        terms = method.terms(step(student, teacher, labels))
        assert tuple(terms) == method.term_names
        assert float(sum(terms.values())) == pytest.approx(float(expected), rel=1e-12)
    unsquared = methods.create("kd", {"temperature": 3.0, "alpha": 0.7, "squared": False})
    assert float(unsquared.terms(step(student, teacher, labels))["kd"]) == pytest.approx(0.7 * float(kl), rel=1e-12)


def test_dist_is_ce_plus_twice_its_distance(outputs: tuple[Output, Output, torch.Tensor]) -> None:
    student, teacher, labels = outputs
    a, b = (torch.softmax(z / 4, 1).numpy() for z in (student.logits, teacher.logits))
    inter = 1 - np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    intra = 1 - np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])
    terms = methods.create("dist").terms(step(student, teacher, labels))
    assert float(terms["dist"]) == pytest.approx(2 * 16 * (inter + intra), rel=1e-5)
    assert float(terms["ce"]) == pytest.approx(float(F.cross_entropy(student.logits, labels)))


def test_a_method_that_needs_a_teacher_says_so(outputs: tuple[Output, Output, torch.Tensor]) -> None:
    student, _, labels = outputs
    with pytest.raises(ValueError, match="learns from a teacher, and none was given"):
        methods.create("kd").terms(step(student, None, labels))
