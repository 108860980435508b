"""Every method, trained on digits: what it records, that it resumes, that company changes nothing, what is refused."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Train, same, stopped_after, tiny, with_teachers

import kdnb
from kdnb import data, methods, models, registry
from kdnb.data import Views
from kdnb.measure.outputs import collect
from kdnb.methods import base
from kdnb.runs import Run
from kdnb.train import student, study, teacher
from kdnb.train.learner import Learner

BOOK = Path(__file__).parents[2] / "book"
MAPS = ["at", "fitnet", "vid", "semckd", "simkd"]  # what no table serves
FEATURES = ["crd", "srrl"]
COMMON: dict[str, object] = {"temperatures": [4], "teacher_outputs": "live", "batch_size": 48}  # an odd last batch


@pytest.fixture(scope="module")
def trained(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of every method, by name, trained in one group."""
    folder = with_teachers(tmp_path_factory.mktemp("all"), tiny_folder)
    runs = study.train_students(tiny(folder, methods=list(methods.METHODS), **COMMON))
    return {run.spec.method: run for run in runs}


@pytest.mark.parametrize("name", methods.METHODS)
def test_its_history_is_whole(name: str, trained: dict[str, Run]) -> None:
    """Finite numbers; the terms are those it names and sum to the loss; mu where there is one, absent elsewhere."""
    history, kind = trained[name].history, methods.METHODS[name]
    assert len(history) == 3 and np.isfinite(history.to_numpy()).all()
    terms = [column for column in history if column.startswith("loss_")]
    assert terms == [f"loss_{term}" for term in kind.term_names]
    np.testing.assert_allclose(history[terms].sum(axis=1), history["loss"], rtol=1e-6)
    about_mu = [column for column in history if "mu_" in column or "plug_in" in column or "classifier_" in column]
    assert bool(about_mu) == kind.mu_is_defined == (name != "simkd")
    assert bool({"mu_raw", "mu_matched", "bystander_mu_raw"} <= set(history)) == kind.mu_is_defined


@pytest.mark.parametrize("name", methods.METHODS)
def test_its_account_balances_where_there_is_one(name: str, trained: dict[str, Run]) -> None:
    """Wherever the classifier is trained; terms that do not see the classifier pull nothing."""
    history, trace = trained[name].history, trained[name].trace()[0]
    assert ("account_residual" in history) == bool((trace != trace[0]).any())
    if "account_residual" not in history:
        return
    for prefix, distance in (("", "mu_raw"), ("bystander_", "bystander_mu_raw"), ("length_", "weight_norm")):
        assert (history[f"{prefix}account_residual"].abs() < 1e-5 * history[distance] ** 2).all()
    blind = {"hint", "at", "vid", "crd", "semckd", "features", "regression", "simkd"}
    for term in methods.METHODS[name].term_names:
        assert history[f"pull_{term}"].any() == (term not in blind)


@pytest.mark.parametrize("name", [*MAPS, *FEATURES])
def test_alone_it_is_what_it_is_in_a_group(name: str, trained: dict[str, Run], train: Train) -> None:
    (alone,) = train(methods=[name], **COMMON)
    same(alone, trained[name])


def test_interrupted_and_resumed_it_is_what_it_would_have_been(trained: dict[str, Run], train: Train) -> None:
    """Projectors, memories, variances and their momenta are in the checkpoint, and what is trained moves."""
    names = [*MAPS, *FEATURES]
    with stopped_after(len(names) + 3):
        train(methods=names, **COMMON)
    for run in train(methods=names, **COMMON):
        same(run, trained[run.spec.method])


def test_what_is_trained_beside_the_network_moves_with_momentum(
    trained: dict[str, Run], train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners: dict[str, Learner] = {}
    made = Learner.__init__

    def kept(learner: Learner, run: Run, *rest: object) -> None:
        made(learner, run, *rest)  # type: ignore[arg-type]
        learners[run.spec.method] = learner

    monkeypatch.setattr(Learner, "__init__", kept)
    train(methods=[*MAPS, *FEATURES], epochs=1, **COMMON)
    for name, learner in learners.items():
        own = dict(learner.parts.named_parameters("parts"))
        assert bool(own) == (name != "at")
        moved = {id(p) for group in learner.optimizer.param_groups for p in group["params"]}
        assert {id(p) for p in own.values()} <= moved
        for key in own:
            assert learner.state()[f"momentum.{key}"].any(), key


def test_measuring_changes_nothing(trained: dict[str, Run], tiny_folder: Path) -> None:
    """Batch norms of parts are in evaluation mode while the student is measured, and back in training after."""
    digits = data.load("digits", limit=128)
    taught = teacher.from_run(Run(tiny_folder / "teacher-s0"), digits)
    views = Views(digits.test, digits, torch.device("cpu"))
    for name in [*MAPS, *FEATURES]:
        model = student.create(trained[name].spec, digits, taught)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        collect(model, views, torch.arange(50))
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        assert all(module.training for module in model.modules())


def test_simkds_accuracy_is_that_of_its_prediction(trained: dict[str, Run], tiny_folder: Path) -> None:
    """Rebuilt from the stored weights: network, projector, and the teacher's classifier, which the trace shows, too."""
    run, digits = trained["simkd"], data.load("digits", limit=128)
    taught = teacher.from_run(Run(tiny_folder / "teacher-s0"), digits).network
    weights = run.weights()
    network = models.create("resnet8", 10, 1).eval()
    network.load_state_dict({key: value for key, value in weights.items() if not key.startswith("parts.")})
    projector = student.create(run.spec, digits, teacher.from_run(Run(tiny_folder / "teacher-s0"), digits)).parts
    projector.load_state_dict({k.removeprefix("parts."): v for k, v in weights.items() if k.startswith("parts.")})
    views = Views(digits.test, digits, torch.device("cpu"))
    everything = torch.arange(len(digits.test.labels))
    with torch.no_grad():
        maps = network(views(everything, torch.full_like(everything, views.identity))).maps[-1]
        logits = taught.classifier(projector.eval()(maps).mean((2, 3)))
    stored = run.snapshot("final")
    assert stored is not None
    np.testing.assert_allclose(stored.logits, logits, rtol=2e-3, atol=2e-3)  # kept in half precision
    accuracy = float((logits.argmax(1) == torch.as_tensor(digits.test.labels)).double().mean())
    assert run.history["test_accuracy"].iloc[-1] == pytest.approx(accuracy, abs=0.011)
    assert torch.equal(torch.as_tensor(run.trace()[0][0]), taught.classifier.weight)


@pytest.mark.parametrize("name", MAPS)
def test_a_table_refuses_methods_that_learn_from_maps(name: str, tmp_path: Path) -> None:
    """Before any work: no teacher is trained first. A table is what the profile of the digits says."""
    with pytest.raises(ValueError, match=f"method '{name}' learns from the teacher's maps.*teacher_outputs='live'"):
        study.train_students(tiny(tmp_path / "new", methods=["kd", name]))
    assert not (tmp_path / "new").exists()


def test_a_table_serves_features(trained: dict[str, Run], train: Train, tmp_path: Path) -> None:
    for run in train(methods=FEATURES, **COMMON | {"teacher_outputs": "table"}):
        live = trained[run.spec.method].history
        np.testing.assert_allclose(run.history["loss"], live["loss"], rtol=5e-3)  # the table's half precision
    (table,) = tmp_path.glob("table-*")
    assert (table / "features.npy").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fitnet:stage=4", r"stage is 4.0; it must be 0 \(the stem\), 1, 2 or 3"),
        ("fitnet:stage=1.5", "stage is 1.5"),
        ("simkd:factor=0", "factor is 0.0; it must be a number from 1 up"),
        ("crd:negatives=0", "negatives is 0.0; it must be a number of images from 1 up"),
        ("crd:negatives=inf", "negatives is inf"),
        ("simkd:factor=inf", "method 'simkd:factor=inf': factor is inf; it must be a finite number"),
        ("fitnet:stage=nan", "stage is nan; it must be a finite number"),
        ("vid:weight=-1", "weight is -1.0; it must be a finite number of at least 0"),
        ("simkd:faktor=2", "unknown parameter of method 'simkd' 'faktor'.*Did you mean 'factor'"),
    ],
)
def test_values_out_of_range_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        methods.create(*methods.parse(text))


def test_a_name_as_figures_write_it_gets_the_hint() -> None:
    for label, name in (("KD", "kd"), ("SimKD", "simkd"), ("DIST", "dist")):
        with pytest.raises(ValueError, match=f"unknown method '{label}'; known: .*Did you mean '{name}'"):
            methods.create(label)


@pytest.mark.parametrize(("parameter", "value"), [("weight", -1), ("alpha", 1.5), ("temperature", 0)])
def test_what_several_methods_have_is_checked_in_each(parameter: str, value: float) -> None:
    having = [name for name in methods.METHODS if parameter in methods.parameter_names(name)]
    assert len(having) > 2
    for name in having:
        with pytest.raises(ValueError, match=f"{parameter} is {value}; it must be"):
            methods.create(name, {parameter: value})


def test_terms_must_be_those_that_are_named() -> None:
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    method = SimpleNamespace(name="odd", term_names=("ce", "odd"), terms=lambda step: {"ce": one, "even": two})
    with pytest.raises(ValueError, match=r"method 'odd' returned the terms \['ce', 'even'\]; term_names: .*'odd'"):
        methods.terms(method, None)  # type: ignore[arg-type]
    method.terms = lambda step: {"odd": two, "ce": one}
    assert methods.terms(method, None) == [one, two]  # type: ignore[arg-type]  # in the order of their names


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.tensor(1.0), "method 'odd' returned a Tensor; terms returns a dictionary of scalars by name"),
        ({"ce": torch.ones(64)}, r"the term 'ce' is of shape \(64,\).*take the mean over the batch"),
        ({"ce": 1.0}, r"the term 'ce' is a float.*no \.item\(\)"),
    ],
)
def test_terms_must_be_scalars_by_name(returned: object, message: str) -> None:
    method = SimpleNamespace(name="odd", term_names=("ce",), terms=lambda step: returned)
    with pytest.raises(ValueError, match=message):
        methods.terms(method, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: str = 'own'", "name has a type, so that it counts as a parameter: write name = ... without"),
        ("weight: float", "parameter weight has no default"),
        ("weight: str = 'much'", "parameter weight is 'much', which is no finite number"),
        ("weight: float = float('inf')", "parameter weight is inf, which is no finite number"),
        ("name = 'my/own'", "name is 'my/own'; it is one word of letters, digits and _"),
        ("term_names = ('ce')", r"term_names is 'ce'; it is a tuple of different words, \('ce',\) where"),
        ("term_names = ('ce', 'ce')", "it is a tuple of different words"),
        ("term_names = ('ce', 'decay')", "a term is called 'decay', which is weight decay's name in the account"),
        (
            "needs = frozenset({'logit'})",
            r"needs is frozenset\(\{'logit'\}\); it is a frozenset of some of 'features', 'l",
        ),
        ("needs = 'logits'", "needs is 'logits'; it is a frozenset"),
        ("del label", "label is missing"),
        ("del terms", r"it has no terms\(step\)"),
    ],
)
def test_a_method_that_cannot_be_trained_is_refused_with_its_file(text: str, message: str) -> None:
    body = ["name = 'own'", "label = 'Own'", "term_names = ('ce',)", "def terms(self, step): pass", text]
    source = "@dataclass(frozen=True)\nclass Own(base.Method):\n" + "\n".join(f"    {line}" for line in body)
    names: dict[str, Any] = {"base": base, "dataclass": dataclass, "__name__": "kdnb.methods.own"}
    exec(source, names)
    with pytest.raises(ValueError, match=f"kdnb.methods.own: the method Own cannot be used: .*{message}"):
        base.check_kind(names["Own"])
    exec(source.replace("@dataclass(frozen=True)\n", "").replace(text, "weight: float = 1.0"), names)
    with pytest.raises(ValueError, match="is no dataclass: write @dataclass"):
        base.check_kind(names["Own"])


def test_two_methods_of_one_name_are_refused() -> None:
    kd = methods.METHODS["kd"]
    with pytest.raises(ValueError, match="two methods have the name 'kd', in kdnb.methods.logits and kdnb.methods.log"):
        registry.by_name([kd, kd])


def pages_method() -> tuple[str, str]:
    """The page's file: where it says to put it, and what it holds; test_bring_your_own trains it."""
    section = (BOOK / "bring-your-own.md").read_text().split("## Your own method")[1].split("\n## ")[0]
    (source,) = re.findall(r"```python\n(.*?)```", section, re.S)
    (file,) = re.findall(r"`(kdnb/methods/\w+\.py)`", section.split("```python")[0])
    return file, source


def in_a_copy(place: Path, file: str, source: str, *command: str) -> subprocess.CompletedProcess[str]:
    """What a command says with ``source`` as one more file of the package."""
    shutil.copytree(Path(kdnb.__file__).parent, place / "kdnb", ignore=shutil.ignore_patterns("__pycache__"))
    (place / file).write_text(source)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(place)}
    return subprocess.run([sys.executable, *command], cwd=place, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('    name = "direction"\n', "", "kdnb.methods.direction: the class Direction has no name of its own"),
        ('"Direction"', '"KD"', "two methods have the label 'KD', in kdnb.methods.direction and kdnb.methods.logits"),
    ],
)
def test_a_method_without_a_name_or_with_anothers_label_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """The copy-and-paste errors of a first method: it would not be found, or stand for another in every figure."""
    file, source = pages_method()
    assert source.count(old) == 1
    assert message in in_a_copy(tmp_path, file, source.replace(old, new), "-c", "import kdnb.methods").stderr


def test_the_page_names_every_method() -> None:
    text = (BOOK / "how-to-run.md").read_text()
    assert [name for name in methods.METHODS if f"`{name}`" not in text] == []
