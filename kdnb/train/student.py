"""A student: its network, and what its method trains or keeps beside it."""

import torch
from torch import Tensor, nn

from kdnb import methods
from kdnb.data import Dataset
from kdnb.methods import Setting
from kdnb.models import Network, Output
from kdnb.runs import RunSpec
from kdnb.runs.randomness import initial_network, seeded
from kdnb.train.teacher import Teacher


class Student(nn.Module):
    """Answers, and is measured, as its method predicts; ``network`` holds the classifier that mu is about."""

    def __init__(self, method: methods.Method, network: Network, parts: nn.Module) -> None:
        super().__init__()
        self.method, self.network, self.parts = method, network, parts

    def forward(self, x: Tensor) -> Output:
        """Images B x C x H x W (normalised) to maps, and the features and logits that it is judged by."""
        return self.method.predict(self.network, x, self.parts)


def create(spec: RunSpec, dataset: Dataset, teacher: Teacher | None, bystander: Teacher | None = None) -> Student:
    """The student of ``spec`` before its first step; a network in training without a teacher is one, too.

    Raises ValueError, saying the way out, for a method that cannot begin with these networks.
    """
    network, method = initial_network(spec, dataset), methods.create(spec.method, spec.method_parameters)
    if teacher is None or not method.needs:
        return Student(method, network, nn.Module())
    image = torch.zeros(1, dataset.in_channels, dataset.image_size, dataset.image_size)
    network.eval()  # nothing of the image is to stay in its batch norms
    with torch.no_grad():
        outputs = network(image), teacher.network(image.to(teacher.network.classifier.weight.device))
    network.train()
    beside = bystander.network if bystander else None
    setting = Setting(*outputs, teacher.network, dataset.train.labels, spec.batch_size, beside)
    with seeded(spec, "parts", spec.init_seed):
        return Student(method, network, method.begin(network, setting))
