"""What is no network of one's own is refused before any work, with the value, the rule and the way out."""

from pathlib import Path

import pytest
import torch
from conftest import tiny
from own_nets import NETWORK, factory

from kdnb import models
from kdnb.train import study


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
def test_what_is_no_network_of_ours_is_refused(body: str, here: str) -> None:
    refused(factory(here, body, TOLD), WRONG[body])


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
    still, small = factory(here, f"net = Net(num_classes, in_channels); {change}; return net"), f"{here}:small"
    fixed: dict[str, object] = {"methods": ["normal"], "epochs": 1, "limit": 64, "bystander_seed": None}
    for student, teacher in ((still, small), (small, still)):
        pair = {"student_model": student, "teacher_model": teacher}
        with pytest.raises(ValueError, match=rf"network {still}: no gradient reaches {STILL[change]}"):
            study.train_students(tiny(tmp_path / "a", **fixed, **pair))
    assert not list(tmp_path.glob("a/*"))
    torch.save(models.create(still, 10, 1, 8).state_dict(), tmp_path / "own.pth")
    study.train_students(tiny(tmp_path / "b", teacher_weights=str(tmp_path / "own.pth"), **fixed, **pair))


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
