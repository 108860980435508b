"""Networks of a user's own, in a module of the test's own."""

import re
from pathlib import Path

import pytest

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


def factory(module: str, body: str, before: str = "") -> str:
    """Put into :func:`here`'s module a factory of this body, behind ``before``; the name to ask for it by."""
    Path(f"{module}.py").write_text(f"{NETWORK}{before}\n\ndef own(num_classes, in_channels):\n    {body}\n")
    return f"{module}:own"
