"""Networks of one's own: the page's are trained; what is no such network is refused before any work, with the rule."""

import re
from pathlib import Path

import pytest
import torch
from conftest import tiny
from torch import nn

from kdnb import data, models, own_networks
from kdnb.methods import METHODS
from kdnb.runs import Run
from kdnb.runs.weights import network as rebuilt
from kdnb.train import study
from kdnb.train.teacher import from_file

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes, in_channels, width=8):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(in_channels, width, 3, 1, 1)])
        self.layers.extend(nn.Conv2d(width, width, 3, step, 1) for step in (1, 2, 2))
        self.norm = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x).relu()
            maps.append(x)
        features = self.norm(x).mean((2, 3))
        return maps, features, self.classifier(features)


def small(num_classes, in_channels):
    return Net(num_classes, in_channels)


def wide(num_classes, **kwargs):
    return Net(num_classes, kwargs["in_channels"], 12)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module in the current folder, called by a name of the test's own: imported modules stay."""
    module = "nets_" + re.sub(r"\W", "_", request.node.name)
    (tmp_path / f"{module}.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"] + __import__("sys").path)
    return module


def test_a_study_of_own_networks_is_trained_and_resumed(here: str, tmp_path: Path) -> None:
    """Every method but SimKD, whose teacher must end in averages; the identity names file and digest."""
    pair = {"teacher_model": f"{here}:wide", "student_model": f"{here}:wide", "epochs": 1, "limit": 64}
    names = [name for name in METHODS if name != "simkd"]
    asked = tiny(tmp_path / "runs", methods=names, temperatures=[4], teacher_outputs="live", **pair)
    runs = study.train_students(asked)
    assert len(runs) == len(names)
    for run in runs:
        assert run.spec.model == own_networks.identity(f"{here}:wide") and run.spec.teacher["model"] == run.spec.model
        assert {"classifier.weight", "layers.0.weight"} <= set(run.weights())
    again = study.train_students(asked)
    assert [run.spec for run in again] == [run.spec for run in runs]


def test_it_draws_from_the_seed_and_answers_as_ours(here: str) -> None:
    torch.manual_seed(3)
    one = models.create(f"{here}:wide", 5, 1, 8)
    torch.manual_seed(3)
    two = models.create(f"{here}:wide", 5, 1, 8)
    assert one.training and not one.norm.num_batches_tracked
    states = one.state_dict().values(), two.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    found = one(torch.ones(3, 1, 8, 8))
    assert isinstance(found, models.Output) and [m.shape[2] for m in found.maps] == [8, 8, 4, 2]


@pytest.mark.parametrize(
    ("takes", "given"),
    [("num_classes, **options", 3), ("*, num_classes, in_channels", 3), ("num_classes, kwargs=None", 0)],
)
def test_channels_are_given_to_whom_takes_them(here: str, tmp_path: Path, takes: str, given: int) -> None:
    """By its name, or among any names: what those are called says nothing."""
    body = "nets.append(dict(locals())); return Net(num_classes, 3)"
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}\n\nnets = []\n\n\ndef made({takes}):\n    {body}\n")
    models.create(f"{here}:made", 10, 3, 8)
    (seen,) = __import__(here).nets
    assert (seen.get("in_channels") or (seen.get("options") or {}).get("in_channels", 0)) == given


def test_its_classifier_is_never_rounded(here: str) -> None:
    network = models.create(f"{here}:wide", 5, 1, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(torch.ones(2, 1, 8, 8))
    assert found.maps[1].dtype == torch.bfloat16 and found.logits.dtype == found.features.dtype == torch.float32
    torch.testing.assert_close(found.logits, network.classifier(found.features))


def test_a_changed_file_is_another_network(here: str, tmp_path: Path) -> None:
    asked = tiny(tmp_path / "runs", methods=["normal"], epochs=1, student_model=f"{here}:small", bystander_seed=None)
    with pytest.raises(ValueError, match="teacher has 64 features, student 8; .* choose a pair of equal width"):
        study.train_students(asked)
    assert not (tmp_path / "runs").exists()
    asked = tiny(
        tmp_path / "runs",
        methods=["normal"],
        epochs=1,
        student_model=f"{here}:small",
        teacher_model=f"{here}:small",
        bystander_seed=None,
    )
    (run,) = study.train_students(asked)
    (tmp_path / f"{here}.py").write_text(NETWORK.replace("relu", "tanh"))
    with pytest.raises(ValueError, match=r"holds results of another spec \(model: there|is a nets_.*and teacher_model"):
        study.train_students(asked)
    with pytest.raises(ValueError, match=rf"{here}\.py was changed since .* Put the file back"):
        rebuilt(run.spec.model, run.weights(), data.load("digits", limit=64), "there")


def test_weights_of_an_own_network_are_read_from_a_file(here: str, tmp_path: Path) -> None:
    trained = models.create(f"{here}:small", 10, 1, 8)
    torch.save({"model": {f"module.{name}": value for name, value in trained.state_dict().items()}}, tmp_path / "t.pth")
    asked = tiny(
        tmp_path / "runs",
        methods=["kd"],
        temperatures=[4],
        epochs=1,
        bystander_seed=None,
        teacher_model=f"{here}:small",
        student_model=f"{here}:small",
        teacher_weights=str(tmp_path / "t.pth"),
    )
    (run,) = study.train_students(asked)
    assert run.spec.teacher and run.spec.teacher["model"] == run.spec.model and isinstance(run, Run)


@pytest.mark.parametrize("head", ["fc", "linear", "head"])
def test_the_classifier_may_have_its_public_name_in_the_file(here: str, tmp_path: Path, head: str) -> None:
    """As timm and torchvision call it; a layer of that name within the body is none."""
    body = f"net = Net(num_classes, in_channels); net.norm.{head} = nn.Linear(3, 3); return net"
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}\n\ndef gated(num_classes, in_channels):\n    {body}\n")
    digits = data.load("digits", limit=64)
    for name in (f"{here}:small", f"{here}:gated"):
        own = models.create(name, 10, 1, 8).state_dict()
        state = {f"module.{key.replace('classifier', head)}": value for key, value in own.items()}
        torch.save({"state_dict": state}, tmp_path / "own.pth")
        found = from_file(name, tmp_path / "own.pth", digits)
        assert torch.equal(found.network.classifier.weight, own["classifier.weight"])
    torch.save({"top.weight": torch.ones(10, 8)}, tmp_path / "own.pth")
    with pytest.raises(ValueError, match="holds no layer classifier, fc, linear, head of a network, but .*top.weight"):
        from_file(f"{here}:small", tmp_path / "own.pth", digits)
    torch.save({"fc.weight": torch.ones(10, 9), "fc.bias": torch.ones(10)}, tmp_path / "own.pth")
    with pytest.raises(ValueError, match="missing.\nSave the state dict alone"):
        from_file(f"{here}:small", tmp_path / "own.pth", digits)


def test_buffers_of_whole_numbers_are_read_as_the_network_has_them(here: str, tmp_path: Path) -> None:
    """A mask, positions; a weight of whole numbers, or a mask of complex ones, is refused still."""
    buffers = "net.register_buffer('order', torch.arange(9)); net.register_buffer('mask', torch.ones(3) > 0)"
    body = f"net = Net(num_classes, in_channels); {buffers}; return net"
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}\n\ndef indexed(num_classes, in_channels):\n    {body}\n")
    digits, name = data.load("digits", limit=64), f"{here}:indexed"
    state = models.create(name, 10, 1, 8).state_dict() | {"order": torch.arange(9).flip(0)}
    torch.save(state, tmp_path / "own.pth")
    own = from_file(name, tmp_path / "own.pth", digits)
    assert torch.equal(own.network.order, state["order"]) and own.network.mask.dtype == torch.bool
    for wrong, kind in ((("classifier.bias", torch.arange(10)), "int64"), (("order", torch.ones(9) * 1j), "complex64")):
        torch.save(state | dict([wrong]), tmp_path / "own.pth")
        with pytest.raises(ValueError, match=rf"{wrong[0]} in teacher_weights .*\({kind}\)"):
            from_file(name, tmp_path / "own.pth", digits)


# Refusals, each with the value, the rule and the way out.


def refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        models.create(name, 10, 1, 8)
    assert "Bring your own" in str(refusal.value) or "unknown factory" in str(refusal.value)


def test_what_cannot_be_found_is_named(here: str, tmp_path: Path) -> None:
    refused(
        "nowhere.nets:wide", r"module 'nowhere.nets' cannot be imported \(ModuleNotFoundError.*looked for in .*PYTHON"
    )
    refused(f"{here}:wied", rf"unknown factory in {here} 'wied'; known: .*Did you mean 'wide'")
    (tmp_path / "brokennets.py").write_text("def wide(:")
    refused("brokennets:wide", r"module 'brokennets' cannot be imported \(SyntaxError")
    refused("math:sqrt", "it has no source file")
    refused("collections:OrderedDict", "calling it with num_classes=10 failed .ValueError: no signature found")


WRONG = {
    "return Net(num_classes)": r"calling it with num_classes=10, in_channels=1 failed \(TypeError",
    "return 3": "it returns a int; a factory returns a torch.nn.Module",
    "net = Net(10, 1); net.fc = net.classifier; del net.classifier; return net": "its classifier is NoneType; its "
    "linear layers are fc; it must have `classifier`",
    "net = Net(10, 1); net.classifier = nn.Linear(8, 10, bias=False); return net": "a torch.nn.Linear with bias",
    "return Net(7, in_channels)": r"its classifier is 7 x 8 \(K x D\); .* to the 10 classes",
    "return Net(num_classes, 3)": r"it cannot take images \(2, 1, 8, 8\) in evaluation \(RuntimeError",
    "return Told(lambda m, f, z: z)": r"forward returns a tensor \(2, 10\); forward returns \(maps, features, logits\)",
    "return Told(lambda m, f, z: (m[:2], f, z))": r"its maps are 2 things .*; there must be 4, each B x C x H x W",
    "return Told(lambda m, f, z: (m, m[-1], z))": r"its features are a tensor \(2, 8, 2, 2\); .* must be B x 8",
    "return Told(lambda m, f, z: (m, f, z[:, :3]))": r"its logits are a tensor \(2, 3\); .* must be B x 10",
    "return Told(lambda m, f, z: (m, f, 2 * z + 1))": "its logits are up to .* from what its classifier says",
    "net = Net(10, 1); nn.utils.parametrizations.weight_norm(net.classifier); return net": "its classifier.weight is a "
    "Tensor, computed from others; .* no weight_norm there",
    "net = Net(10, 1); net.classifier.requires_grad_(False); return net": "its classifier.weight is frozen; mu and",
    "net = Net(10, 1); net.norm = nn.Sequential(nn.Dropout(0.01), net.norm); return net": "in training it draws at "
    r"random \(by torch\); no seed gives that, .* Leave dropout and stochastic depth out \(p=0\)",
    "net = Net(10, 1); net.layers[1].register_forward_hook(dropped); return net": r"it draws at random \(by random\)",
    "net = Net(10, 1); net.norm = nn.Sequential(Noise(), net.norm); return net": "asked twice .* two answers",
    "net = Net(10, 1); net.register_forward_pre_hook(darker); return net": "it writes into its images; .*x - 0.5",
    "net = Net(10, 1); net.layers[0] = nn.Sequential(nn.ReLU(True), net.layers[0]); return net": "writes into",
}
TOLD = """

class Told(Net):
    def __init__(self, change):
        super().__init__(10, 1)
        self.change = change

    def forward(self, x):
        return self.change(*super().forward(x))


class Noise(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x):
        return x + torch.rand(x.shape, generator=self.generator) if self.training else x


def dropped(layer, given, found):
    import random
    return 0 * found if random.random() < 1e-9 else found


def darker(layer, given):
    given[0].sub_(0.5)
"""


@pytest.mark.parametrize("body", WRONG)
def test_what_is_no_network_of_ours_is_refused(body: str, here: str, tmp_path: Path) -> None:
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}{TOLD}\n\ndef wrong(num_classes, in_channels):\n    {body}\n")
    refused(f"{here}:wrong", WRONG[body])


STILL = {
    "net.layers[0].requires_grad_(False)": "layers.0.weight, layers.0.bias from its logits",
    "net.layers[1].register_forward_hook(lambda layer, given, out: out.detach())": "layers.0.weight, layers.0.bias, "
    "layers.1.weight and 1 more from its logits",
    "net.unused = nn.Linear(2, 2)": "unused.weight, unused.bias from its logits; .* nothing frozen or unused",
    "net.forward = torch.no_grad()(net.forward)": "layers.0.weight, layers.0.bias, layers.1.weight and 7 more",
}


@pytest.mark.parametrize("change", STILL)
def test_a_network_of_which_a_part_would_never_learn_may_teach_but_not_be_trained(
    change: str, here: str, tmp_path: Path
) -> None:
    """Typically a wrapper round a pretrained body, written for the teacher."""
    body = f"net = Net(num_classes, in_channels)\n    {change}\n    return net"
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}\n\ndef still(num_classes, in_channels):\n    {body}\n")
    fixed: dict[str, object] = {"methods": ["normal"], "epochs": 1, "limit": 64, "bystander_seed": None}
    still, small = f"{here}:still", f"{here}:small"
    for student, teacher in ((still, small), (small, still)):
        pair = {"student_model": student, "teacher_model": teacher}
        with pytest.raises(ValueError, match=rf"network {still}: no gradient reaches {STILL[change]}"):
            study.train_students(tiny(tmp_path / "a", **fixed, **pair))
    assert not list(tmp_path.glob("a/*"))
    torch.save(models.create(still, 10, 1, 8).state_dict(), tmp_path / "own.pth")
    study.train_students(tiny(tmp_path / "b", teacher_weights=str(tmp_path / "own.pth"), **fixed, **pair))


def test_a_partial_is_known_by_the_file_that_fills_it_in_and_by_its_functions(here: str, tmp_path: Path) -> None:
    """Not by Python's functools.py, which never changes."""
    filled = f"from functools import partial\n\nimport {here}\n\nwide = partial(partial({here}.Net), width=8)\n"
    (tmp_path / f"{here}_2.py").write_text(filled)
    known = {own_networks.identity(f"{here}_2:wide")}
    assert models.create(f"{here}_2:wide", 10, 1, 8).classifier.in_features == 8
    (tmp_path / f"{here}_2.py").write_text(filled.replace("8", "9"))
    known.add(own_networks.identity(f"{here}_2:wide"))
    (tmp_path / f"{here}.py").write_text(NETWORK.replace("relu", "tanh"))
    known.add(own_networks.identity(f"{here}_2:wide"))
    assert len(known) == 3


def test_what_a_network_keeps_between_batches_is_no_draw_and_stays_as_it_began(here: str, tmp_path: Path) -> None:
    """Batch norm, spectral norm, a dropout of nothing; and it comes in training mode, however the factory left it."""
    body = "net = Net(num_classes, in_channels)\n    nn.utils.parametrizations.spectral_norm(net.layers[1])\n"
    body += "    net.norm = nn.Sequential(nn.Dropout(0), net.norm)\n    made.append(net.state_dict())\n"
    body = body.replace("net.state_dict()", "{n: t.clone() for n, t in net.state_dict().items()}")
    (tmp_path / f"{here}.py").write_text(
        f"{NETWORK}\n\nmade = []\n\n\ndef kept(num_classes, in_channels):\n    {body}    return net.eval()\n"
    )
    network = models.create(f"{here}:kept", 10, 1, 8)
    assert all(layer.training for layer in network.modules())
    (began,) = __import__(here).made
    assert all(torch.equal(tensor, began[name]) for name, tensor in network.state_dict().items())


def test_it_is_refused_before_any_work(here: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown factory"):
        study.train_students(tiny(tmp_path / "runs", student_model=f"{here}:wied"))
    with pytest.raises(ValueError, match="unknown model 'resnet9'"):
        study.train_students(tiny(tmp_path / "runs", student_model="resnet9"))
    assert not (tmp_path / "runs").exists()


VECTORS = """

class Vectors(Net):
    def __init__(self, num_classes, in_channels):
        super().__init__(num_classes, in_channels)
        self.layers.append(nn.AdaptiveAvgPool2d(1))
        del self.layers[1]
        self.norm = nn.BatchNorm2d(8) if self.normed else nn.Identity()

class Plain(Vectors):
    normed = False

class Normed(Vectors):
    normed = True
"""


def test_a_last_batch_of_one_image_is_refused_where_a_batch_norm_cannot_take_it(here: str, tmp_path: Path) -> None:
    """Before any work, a teacher's included; where only the method has such a norm, before any work of the student."""
    (tmp_path / f"{here}.py").write_text(f"{NETWORK}{VECTORS}")
    fixed = {"batch_size": 10, "epochs": 1, "bystander_seed": None, "teacher_outputs": "live"}
    said = r"batch_size is 10 and there are 21 training images: .*{}.* more than 1 value.*another batch_size or limit"

    def students(folder: str, student: str, teacher: str, method: str = "normal", limit: int = 21) -> None:
        pair = {"student_model": f"{here}:{student}", "teacher_model": f"{here}:{teacher}"}
        study.train_students(tiny(tmp_path / folder, methods=[method], limit=limit, **pair, **fixed))

    for student, teacher in (("Normed", "Plain"), ("Plain", "Normed")):
        with pytest.raises(ValueError, match=said.format("Normed")):
            students("a", student, teacher)
    assert not list(tmp_path.glob("a/*"))
    with pytest.raises(ValueError, match=said.format("srrl with .*Plain")):
        students("a", "Plain", "Plain", "srrl")
    assert [run.name for run in tmp_path.glob("a/*")] == ["teacher-s0"]
    students("b", "Plain", "Plain")
    students("c", "Normed", "Normed", limit=22)
    study.train_students(tiny(tmp_path / "d", methods=["dist"], limit=21, student_model="resnet8", **fixed))


def test_simkd_says_what_it_asks_of_own_networks(here: str, tmp_path: Path) -> None:
    own = {"methods": ["simkd"], "teacher_outputs": "live", "epochs": 1, "bystander_seed": None, "limit": 64}
    with pytest.raises(ValueError, match="this teacher's features are no such averages"):
        study.train_students(tiny(tmp_path / "a", teacher_model=f"{here}:small", student_model="resnet8", **own))
    with pytest.raises(ValueError, match="8 features do not fit 64. Take a pair of equal widths"):
        study.train_students(tiny(tmp_path / "b", student_model=f"{here}:small", **own))


def test_a_meta_network_has_shapes_alone(here: str) -> None:
    with torch.device("meta"):
        network: nn.Module = models.create(f"{here}:small", 10, 1)
    assert network.classifier.weight.is_meta
