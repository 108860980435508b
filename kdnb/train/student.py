"""A student: its network, and what its method trains or keeps beside it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdnb import methods
from kdnb.data import Dataset
from kdnb.measure.account import gradient_of
from kdnb.methods.base import Method, Setting, Step
from kdnb.models import Network, Output
from kdnb.runs import RunSpec
from kdnb.runs.randomness import initial_network, seeded
from kdnb.train.teacher import Teacher

TRIED = 2  # images: a batch norm needs two


class Student(nn.Module):
    """Answers, and is measured, as its method predicts; ``network`` holds the classifier that mu is about."""

    def __init__(self, method: Method, network: Network, parts: nn.Module) -> None:
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
    image = _black(dataset)
    network.eval()  # nothing of the image is to stay in its batch norms
    with torch.no_grad():
        outputs = network(image), teacher.network(image.to(teacher.network.classifier.weight.device))
    network.train()
    beside = bystander.network if bystander else None
    setting = Setting(*outputs, teacher.network, dataset.train.labels, spec.batch_size, beside)
    with seeded(spec, "parts", spec.init_seed):
        parts = method.begin(network, setting)
    if not isinstance(parts, nn.Module):
        rule = "it returns a torch.nn.Module, if an empty one"
        raise ValueError(f"method {spec.method!r}: begin returned a {type(parts).__name__}; {rule}.")
    return Student(method, network, parts)


def try_step(spec: RunSpec, dataset: Dataset, teacher: Teacher, bystander: Teacher | None) -> None:
    """One step on two random images, with what an untrained ``teacher`` says; Fault where the method cannot take it."""
    indices = torch.arange(TRIED) % len(dataset.train.labels)
    images = torch.randn(TRIED, *_black(dataset).shape[1:], generator=torch.Generator())
    try:
        with torch.random.fork_rng(devices=[]):
            student = create(spec, dataset, teacher, bystander)
            taught = _taught(student.method, spec.teacher_outputs, teacher.network(images))
            labels, weight = dataset.train.labels[indices], student.network.classifier.weight
            seen = Step(student(images), taught, labels, indices, student.network, student.parts)
            terms = methods.terms(student.method, seen)
            if weight.requires_grad:
                for term in terms:
                    gradient_of(term, weight)
            torch.stack(terms).sum().backward()
    except Exception as error:  # a stranger's code may raise anything
        raise methods.fault(spec.method, error) from error


def _taught(method: Method, teacher_outputs: str | None, live: Output) -> Output | None:
    """What a method may ask of a teacher, alone in its group: a table has no maps, and features only if needed."""
    if teacher_outputs == "table":
        live = Output((), live.features if "features" in method.needs else live.features[:, :0], live.logits)
    return live if method.needs else None


def check_last_batch(model: str, batch_size: int, dataset: Dataset, step: Callable[[Tensor], object]) -> None:
    """ValueError where the last batch is a single image and ``step`` cannot take one: a batch norm needs two values."""
    count = len(dataset.train.labels)
    if count % batch_size != 1:
        return
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            step(_black(dataset))
    except Exception as error:  # a stranger's network may say it in any way
        said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise ValueError(
            f"batch_size is {batch_size} and there are {count} training images: the last batch is one image, on which "
            f"{model} cannot be trained ({said}). Choose another batch_size or limit."
        ) from error


def check(student: Student, spec: RunSpec, dataset: Dataset, teacher: Teacher | None) -> None:
    """ValueError where a whole epoch would end in a batch that the student or its method cannot take."""

    def step(image: Tensor) -> None:
        device = teacher.network.classifier.weight.device if teacher else image.device
        student.to(device)
        image, first = image.to(device), torch.zeros(1, dtype=torch.int64, device=device)
        taught, labels = teacher.network(image) if teacher else None, dataset.train.labels[:1].to(device)
        methods.terms(student.method, Step(student(image), taught, labels, first, student.network, student.parts))

    check_last_batch(f"{spec.method} with {spec.model}", spec.batch_size, dataset, step)


def _black(dataset: Dataset) -> Tensor:
    return torch.zeros(1, dataset.in_channels, dataset.image_size, dataset.image_size)
