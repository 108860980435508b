"""The mu tracker: one row an epoch, complete from the start, so that no history is trained twice for a missing column.

==============================  =====================================================================================
epoch, lr                       counted from 1; the epoch's learning rate
loss, loss_<term>               training loss and its weighted terms (they sum to it), mean over the epoch's images
train_accuracy                  on the augmented images, while they are trained on
test_accuracy, test_loss        on the test set; test_top5_accuracy: the label is among the five most likely
clean_accuracy                  on a fixed set of unaugmented training images
nc1, nc2, nc3                   neural collapse on the same clean images
weight_norm, bias_norm          ||W_s|| and ||b_s||
feature_norm                    mean length of a test image's features
logit_std                       spread of a test image's logits about their own mean, root mean square over the images
------------------------------  -------------------------------------------------------------------------------------
mu_<kind>                       distance to the teacher's classifier, of the kinds that :mod:`kdnb.measure.align` has;
                                the permutation behind ``matched`` and ``scaled`` is found on clean training features
classifier_cosine               cosine of W_t and W_s
bias_distance                   ||b_t - b_s||
plug_in_accuracy, _matched      test accuracy of W_t, b_t on the student's features, raw and relabelled
feature_cosine...               mean cosine of test features to the teacher's (paper, Fig. 5): raw, centred, shuffled
cka                             linear CKA of test features
agreement                       share of test images that student and teacher give the same class (Stanton et al. 2021)
divergence                      mean KL(teacher || student) of their answers at T = 1 to a test image, in nats
reference_logit_std             the teacher's own ``logit_std``
pull_<term>, account_residual   the account of mu, see :mod:`kdnb.measure.account`: pulls and what rounding leaves
==============================  =====================================================================================

Everything below the line is there again as ``bystander_...``, against a teacher of another seed that the student never
saw: the control. ``length_pull_<term>`` is the account against a classifier of zeros, whose mu is ||W_s||; so
pull - length_pull = -2 <u, W_t> is what a term did in the teacher's direction. ``spread`` is the same in all three
accounts. Published histories of before a column existed lack it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kdnb.measure import align
from kdnb.measure.outputs import Outputs, accuracy, top5_accuracy

Row = dict[str, float]
BYSTANDER = "bystander_"
PREFIXES = ("", BYSTANDER)  # of the columns that compare with the teacher, and with the bystander


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
        "feature_norm": float(test.features.norm(dim=1).mean()),
        "logit_std": logit_std(test.logits),
    }


def alignment(weight: Tensor, bias: Tensor, test: Outputs, clean: Outputs, teacher: Reference) -> Row:
    """Every mu to ``teacher``, and what its classifier makes of the student's features."""
    order = align.match_features(teacher.clean.features, clean.features)
    scales = teacher.clean.features.std(0), clean.features.std(0)
    pair = teacher.weight, weight
    row = {f"mu_{kind}": align.classifier_distance(*pair, kind, order, *scales) for kind in align.KINDS}
    return row | {
        "classifier_cosine": align.classifier_cosine(*pair),
        "bias_distance": float((teacher.bias - bias).norm()),
        "plug_in_accuracy": plug_in_accuracy(teacher, test, test.features),
        "plug_in_accuracy_matched": plug_in_accuracy(teacher, test, test.features[:, order]),
    }


def likeness(test: Outputs, teacher: Reference) -> Row:
    """How like the teacher's are a student's features and answers; its classifier is not asked."""
    shuffle = torch.randperm(len(test.features), generator=torch.Generator().manual_seed(0))
    similarity = align.feature_similarity(teacher.test.features, test.features, shuffle)
    known, answered = (outputs.logits.log_softmax(1) for outputs in (teacher.test, test))
    return {
        "feature_cosine": similarity.raw,
        "feature_cosine_shuffled": similarity.shuffled,
        "feature_cosine_centred": similarity.centred,
        "feature_cosine_centred_shuffled": similarity.centred_shuffled,
        "cka": align.linear_cka(teacher.test.features, test.features),
        "agreement": float((known.argmax(1) == answered.argmax(1)).double().mean()),
        "divergence": float(F.kl_div(answered, known, reduction="batchmean", log_target=True)),
        "reference_logit_std": logit_std(teacher.test.logits),
    }


def logit_std(logits: Tensor) -> float:
    """Root mean square of logits (N x K) about each row's mean: the scale that a temperature divides."""
    return float((logits - logits.mean(1, keepdim=True)).square().mean().sqrt())


def plug_in_accuracy(teacher: Reference, test: Outputs, features: Tensor) -> float:
    """Test accuracy of the teacher's classifier on ``features`` (N x D) of the student."""
    return accuracy(features @ teacher.weight.t() + teacher.bias, test.labels)
