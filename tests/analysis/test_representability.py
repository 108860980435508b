"""What a frozen classifier can say at all: non-negative least squares against planted answers, theory and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Train, tiny

from kdnb import __main__ as command_line
from kdnb import data, paths
from kdnb.analysis import representability
from kdnb.analysis.representability import MARGIN, margins, reach
from kdnb.train import study

RANDOM = np.random.RandomState


def test_planted_features_are_reached_and_so_are_shifted_logits() -> None:
    """Features that exist, a permutation of them, and a constant that softmax cannot see: nothing is left."""
    random = RANDOM(0)
    weight, bias, features = random.randn(7, 12), random.randn(7), random.rand(20, 12)
    logits = features @ weight.T + bias + random.randn(20, 1)
    order = random.permutation(12)
    for rows in (weight, weight[:, order]):
        residual, agreement = reach(rows, bias, logits)
        assert residual < 1e-12 and agreement == 1


def test_one_feature_reaches_its_own_half_line() -> None:
    """By hand: K = 2, D = 1. Logits (1, -1) lie on the ray of W = (1, -1) and opposite to that of its negative."""
    weight, logits = np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0]])
    assert reach(weight, np.zeros(2), logits) == pytest.approx((0, 1))
    assert reach(-weight, np.zeros(2), logits).residual == pytest.approx(1)
    # Three classes: the ray of (2, -1, -1) comes within a right angle of (1, 1, -2): cos = 1/2, sin = sqrt(3)/2.
    residual, _ = reach(np.array([[2.0], [-1.0], [-1.0]]), np.zeros(3), np.array([[1.0, 1.0, -2.0]]))
    assert residual == pytest.approx(3**0.5 / 2)


def test_signs_matter_and_not_rank() -> None:
    """A W whose rank is full reaches nothing on the far side: it is the sign of the features that costs."""
    weight = np.eye(3)
    assert reach(weight, np.zeros(3), np.array([[0.0, 0.0, 3.0]]))[0] == pytest.approx(0)
    assert reach(weight[:, :1], np.zeros(3), np.array([[-3.0, 0.0, 0.0]]))[0] == pytest.approx(1)


def test_random_rows_reach_everything_once_features_are_twice_as_many() -> None:
    """Wendel 1962: N random columns in d = K - 1 dimensions positively span them with probability 1/2 at N = 2 d."""

    def share(classes: int, width: int, draws: int = 200) -> float:
        random, whole = RANDOM(0), 0
        for _ in range(draws):
            weight = random.randn(classes, width)
            minus = -(weight - weight.mean(0)).sum(1)  # reached if and only if the columns span positively
            whole += reach(weight, np.zeros(classes), minus[None])[0] < 1e-9
        return whole / draws

    assert share(8, 14) == pytest.approx(0.5, abs=0.11)
    assert share(8, 24) > 0.95 and share(8, 8) < 0.05


def test_a_class_wins_where_some_features_make_it_win() -> None:
    """By hand: rows (1, 0), (0, 1) win each on its axis, their half-sum nowhere; with a bias, it wins at the origin."""
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert margins(weight, np.zeros(3)) == pytest.approx([1, 1, 0], abs=MARGIN)
    assert margins(weight, np.array([0.0, 0.0, 0.1])) == pytest.approx([1, 1, 0.1])
    # A row of negative entries wins where no feature is: not without a bias, since all are alike there.
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    assert margins(weight, np.zeros(3)) == pytest.approx([1, 1, 0], abs=MARGIN)
    assert margins(weight, np.array([0.0, 0.0, 0.1])) == pytest.approx([1, 1, 0.1])


def test_classes_that_can_win_are_those_that_random_features_let_win() -> None:
    """Many features drawn at random find winners only among them, and in two dimensions all of them."""
    random = RANDOM(0)
    for _ in range(20):
        weight, bias = random.randn(7, 2), random.randn(7) / 9
        angle = random.uniform(0, np.pi / 2, 20_000)
        lengths = 10 ** random.uniform(-4, 3, 20_000)
        features = np.stack([np.cos(angle), np.sin(angle)], 1) * lengths[:, None]
        won = np.unique((features @ weight.T + bias).argmax(1))
        assert set(won) == set(np.flatnonzero(margins(weight, bias) > MARGIN))


def test_what_is_published_comes_out_again() -> None:
    """Eight features: the nearest logits name another class often, and rarely on training images as on test images."""
    folder = paths.results("digits-d8")
    known = pd.read_parquet(folder / representability.FILE).set_index("name")
    again = representability.table(folder, data.load("digits")).set_index("name").loc[known.index]
    assert known["agreement"].min() < 0.5
    assert known["unwinnable"].max() > 0
    for column in ("residual", "agreement", "unwinnable", "margin"):
        np.testing.assert_allclose(again[column], known[column], atol=1e-6)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(
        ValueError, match=r"weight \(3, 2\), bias \(3,\), logits \(5, 4\): they must be K x D, K and N x K"
    ):
        reach(np.zeros((3, 2)), np.zeros(3), np.zeros((5, 4)))


def test_it_reads_runs_and_says_what_is_missing(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permuted W_t reaches the teacher's logits like W_t itself; without frozen students there is nothing to say."""
    dataset = data.load("digits", limit=128)
    train(methods=["kd"], temperatures=[4])
    with pytest.raises(ValueError, match="holds no student with a frozen classifier; train 'frozen'"):
        representability.table(tmp_path, dataset)
    train(methods=["frozen", "permuted", "random"])
    monkeypatch.setattr(representability, "IMAGES", 40)
    found = representability.table(tmp_path, dataset).set_index("method")
    assert set(found.index) == {"frozen", "permuted", "random"} and (found["images"] == 40).all()
    assert found["residual"][["frozen", "permuted"]].max() < 1e-5 and (found["features"] == 64).all()


def test_the_command_writes_beside_published_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["representability", "--profile", "digits", "--output", str(tmp_path)]) == 0
    assert "frozen at W_t" in capsys.readouterr().out
    assert len(pd.read_parquet(tmp_path / representability.FILE)) > 2
    assert command_line.main(["representability", "--profile", "digits", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("kdnb: ")


def test_the_images_are_those_of_the_runs_whatever_the_profile_has(tmp_path: Path) -> None:
    """``compare`` takes them in the same way; else one's own pictures could not be named."""
    study.train_students(tiny(tmp_path, methods=["normal"], dataset="digits-few", limit=100, epochs=1))
    for command in (command_line.Representability, command_line.Compare):
        found = command(profile="digits", limit=100).images([tmp_path / "none", tmp_path])
        assert (found.name, len(found.train.labels)) == ("digits-few", 100)
        assert command(profile="digits").images([tmp_path / "none"]).name == "digits"
