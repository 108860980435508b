"""The mu tracker: one row an epoch, complete from the start, so that no history is trained twice for a missing column.

==============================  =====================================================================================
epoch, lr                       counted from 1; the epoch's learning rate
loss, loss_<term>               training loss and its weighted terms (they sum to it), mean over the epoch's images
train_accuracy                  on the augmented images, while they are trained on
test_accuracy, test_loss        on the test set; test_top5_accuracy: the label is among the five most likely
clean_accuracy                  on a fixed set of unaugmented training images
nc1, nc2, nc3                   neural collapse on the same clean images
weight_norm, bias_norm          ||W_s|| and ||b_s||
mu_<kind>                       distance to the teacher's classifier; kinds of :func:`kdnb.align.classifier_distance`;
                                the permutation behind ``matched`` and ``scaled`` is found on clean training features
classifier_cosine               cosine of W_t and W_s
bystander_mu_raw, _rotated      the same distances to a teacher of another seed that the student never saw
plug_in_accuracy, _matched      test accuracy of W_t, b_t on the student's features, raw and relabelled
feature_cosine...               mean cosine of test features to the teacher's (paper, Fig. 5): raw, centred, shuffled
cka                             linear CKA of test features
[bystander_]pull_<term>         the account of mu, see :mod:`kdnb.account`: pulls, spread and what rounding leaves
==============================  =====================================================================================
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdnb import align
from kdnb.evaluate import Outputs, accuracy, top5_accuracy

Row = dict[str, float]


@dataclass(frozen=True)
class Reference:
    """A teacher as the tracker sees it: classifier weight K x D and bias K, outputs on test and clean images."""

    weight: Tensor
    bias: Tensor
    test: Outputs
    clean: Outputs


def quality(weight: Tensor, bias: Tensor, test: Outputs, clean: Outputs) -> Row:
    """What can be said of a network without a teacher."""
    collapse = align.neural_collapse(clean.features, clean.labels, weight)
    return {
        "test_accuracy": test.accuracy,
        "test_top5_accuracy": top5_accuracy(test.logits, test.labels),
        "test_loss": test.loss,
        "clean_accuracy": clean.accuracy,
        **collapse._asdict(),
        "weight_norm": float(weight.norm()),
        "bias_norm": float(bias.norm()),
    }


def alignment(weight: Tensor, test: Outputs, clean: Outputs, teacher: Reference) -> Row:
    """Every mu to ``teacher``, and what its classifier and features have to do with the student's."""
    order = align.match_features(teacher.clean.features, clean.features)
    scales = teacher.clean.features.std(0), clean.features.std(0)
    kinds = ("raw", "centred", "permuted", "matched", "scaled", "rotated")
    row = {f"mu_{kind}": align.classifier_distance(teacher.weight, weight, kind, order, *scales) for kind in kinds}
    shuffle = torch.randperm(len(test.features), generator=torch.Generator().manual_seed(0))
    similarity = align.feature_similarity(teacher.test.features, test.features, shuffle)
    return row | {
        "classifier_cosine": align.classifier_cosine(teacher.weight, weight),
        "plug_in_accuracy": plug_in_accuracy(teacher, test, test.features),
        "plug_in_accuracy_matched": plug_in_accuracy(teacher, test, test.features[:, order]),
        "feature_cosine": similarity.raw,
        "feature_cosine_shuffled": similarity.shuffled,
        "feature_cosine_centred": similarity.centred,
        "feature_cosine_centred_shuffled": similarity.centred_shuffled,
        "cka": align.linear_cka(teacher.test.features, test.features),
    }


def control(weight: Tensor, bystander: Reference) -> Row:
    """mu to a classifier the student never saw: what is not alignment."""
    kinds = ("raw", "rotated")
    return {f"bystander_mu_{kind}": align.classifier_distance(bystander.weight, weight, kind) for kind in kinds}


def plug_in_accuracy(teacher: Reference, test: Outputs, features: Tensor) -> float:
    """Test accuracy of the teacher's classifier on ``features`` (N x D) of the student."""
    return accuracy(features @ teacher.weight.t() + teacher.bias, test.labels)
