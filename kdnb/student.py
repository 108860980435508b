"""A student: its network, and what its method trains or keeps beside it."""

import torch
from torch import Tensor, nn

from kdnb import methods
from kdnb.data import Dataset, Views
from kdnb.draws import initial_network, seeded
from kdnb.methods import Setting
from kdnb.models import Output, ResNet
from kdnb.runs import RunSpec
from kdnb.teacher import Teacher


class Student(nn.Module):
    """Answers as its method predicts; ``network`` alone is what is measured and published."""

    def __init__(self, method: methods.Method, network: ResNet, parts: nn.Module) -> None:
        super().__init__()
        self.method, self.network, self.parts = method, network, parts

    def forward(self, x: Tensor) -> Output:
        """Images B x C x H x W (normalised) to maps, and the features and logits that it is judged by."""
        return self.method.predict(self.network, self.network(x), self.parts)


def create(spec: RunSpec, dataset: Dataset, teacher: Teacher | None) -> Student:
    """The student of ``spec`` before its first step; a network in training without a teacher is one, too."""
    network, method = initial_network(spec, dataset), methods.create(spec.method, spec.method_parameters)
    if teacher is None or not method.needs:
        return Student(method, network, nn.Module())
    setting = _setting(spec, dataset, network, teacher)
    with seeded(spec, "parts", spec.init_seed):
        return Student(method, network, method.begin(network, setting))


@torch.no_grad()
def _setting(spec: RunSpec, dataset: Dataset, network: ResNet, teacher: Teacher) -> Setting:
    views = Views(dataset.train, dataset, torch.device("cpu"))
    image = views(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    device = teacher.network.classifier.weight.device
    network.eval()
    outputs = network(image), teacher.network(image.to(device))
    network.train()
    labels = dataset.train.labels
    return Setting(*outputs, teacher.network, torch.as_tensor(labels), spec.batch_size)
