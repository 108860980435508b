"""Figures of geometry say what the runs and the comparisons say, and what is not there is said as well."""

from dataclasses import replace

import numpy as np
import pytest
from drawable import drawable
from geometry import make, means_of
from made_up import SPEC, rounded, steps
from scipy.spatial.distance import pdist, squareform
from scipy.stats import t as student_t

from kdnb.analysis import class_agreement, over_seeds, separation
from kdnb.analysis import spaces as feature_spaces
from kdnb.analysis.study import Study
from kdnb.data import cifar
from kdnb.figures import intervals
from kdnb.figures.geometry import class_distances
from kdnb.runs import Run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make(tmp_path_factory.mktemp("runs"))


# -------------------------------------------------------------------------------------------------------------- spread
def test_a_mean_stands_among_its_runs_with_their_interval() -> None:
    found = {"normal": {0: 1.0, 1: 2.0, 2: 4.5}, "KD T=4": {0: 3.0}, "MSE": {}}
    dots, mean = intervals.points(over_seeds.estimates(found), "one", "value", {"color": "#123456"})
    assert list(dots.x) == ["normal"] * 3 + ["T=4"] and list(dots.y) == [1, 2, 4.5, 3]
    assert list(mean.x) == ["normal", "T=4"] and list(mean.y) == [2.5, 3]
    reach = student_t.ppf(0.975, 2) * np.std([1, 2, 4.5], ddof=1) / np.sqrt(3)
    assert mean.error_y.array[0] == mean.error_y.arrayminus[0] == rounded([reach])[0] and mean.error_y.array[1] is None
    assert "n\u00a0=\u00a03" in mean.text[0] and "95%" not in mean.text[1]
    dependent = over_seeds.estimates(found, independent=False)
    _, bare = intervals.points(dependent, "one", "value", {"color": "#123456"})
    assert bare.error_y.array is None and "95%" not in bare.text[0]


def test_differences_are_of_the_same_seed() -> None:
    one, other = {"a": {0: 5.0, 2: 7.0, 3: 1.0}}, {"a": {2: 4.0, 0: 1.0}, "b": {3: 9.0}}
    assert over_seeds.less(one, other, times=100) == {"a": {0: 400, 2: 300}}
    assert over_seeds.minus(one["a"], other["b"]) == {3: -8} and over_seeds.less(one, {}) == {"a": {}}
    values = one | {"normal": {3: 2.0, 0: 4.0}}
    assert over_seeds.beyond_normal(values, "a").values == [1, -1]
    assert over_seeds.beyond_normal(one, "a").values == over_seeds.beyond_normal(values, "b").values == []


def test_a_seed_s_mean_is_over_the_labels_that_all_seeds_have() -> None:
    values = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 90.0}, "c": {2: 0.0, 0: 0.0, 1: 1.0}}
    assert list(over_seeds.shared(values)) == ["a", "c"]
    assert over_seeds.of_seeds(values).values == [0.5, 1.5, 1.5]
    assert over_seeds.of_seeds({"a": {0: 1.0}, "b": {1: 2.0}}).values == over_seeds.of_seeds({}).values == []


# ------------------------------------------------------------------------------------------------------- class by class
def test_a_matrix_has_the_student_below_and_the_teacher_above(study: Study) -> None:
    made = class_distances.matrices({"digits": study})
    figures, labels = steps(made)
    assert labels == [f"{label}, digits" for label in ("normal", "KD T=1", "KD T=4", "KD T=10")]
    assert made.start == "KD T=4, digits"
    found = class_agreement.agreement(study).students["own"]
    rho = [f"{found[label][0]:.2f} for {name}" for label, name in (("KD T=4", "KD T=4"), ("normal", "normal training"))]
    assert made.answer == f"**By ρ = {rho[0]} and {rho[1]} on digits (seed 0).**".replace("-", "−")
    assert len({(fig.data[0].zmin, fig.data[0].zmax) for fig in figures}) == 1
    run, teacher = study.students[1], study.teacher
    z = np.array(figures[1].data[0].z, float)
    assert teacher is not None and np.isnan(np.diag(z)).all()
    for part, network in ((np.tril, run), (np.triu, teacher)):
        taken = network.snapshot("final")
        assert taken is not None
        norm = np.linalg.norm(taken.features, axis=1).mean()
        expected = squareform((100 * pdist(means_of(network)) / norm).round())
        np.testing.assert_array_equal(part(np.nan_to_num(z)), part(expected))
    drawable(figures[1])


def test_a_hundred_classes_stand_group_by_group(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        class_distances.spaces, "space", lambda *_: feature_spaces.FeatureSpace(1, np.arange(100), np.zeros((100, 2)))
    )
    students = [Run(study.students[0].path)]
    students[0].__dict__["spec"] = replace(SPEC, dataset="cifar100")
    order = class_distances._order(replace(study, students=students))
    assert sorted(order.places) == list(range(100)) and len(order.ticks) == len(order.borders) + 1 == 8
    edges = [-0.5, *order.borders, 99.5]
    for (name, text), low, high in zip(order.ticks.items(), edges[:-1], edges[1:], strict=True):
        assert low < order.names.index(name) < high and text in cifar.SUPERCLASSES


# --------------------------------------------------------------------------------------------------- beside the teacher
def test_temperatures_of_sharper_agreement_are_counted_beside_chance(study: Study) -> None:
    level = {"normal": [0.5] * 3, "KD T=1": [0.8, 0.81, 0.82], "KD T=4": [0.6, 0.4, 0.5], "KD T=10": [0.4, 0.6, 0.5]}
    own = {label: dict(enumerate(values)) for label, values in level.items()}
    found = class_agreement.Agreement({"own": own}, {})
    text = class_distances.sharpest({"x": (study, found)})
    assert text.endswith("at T = 1, not at 4 and 10 on x (1 of 3 temperatures, no more than chance).")


@pytest.mark.parametrize(
    ("own", "normal", "said"),
    [(0.9, 0.5, "Yes"), (0.9, 0.9, "Not seen"), (0.5, 0.9, "No"), (0.1, 0.05, "No")],
)
def test_agreement_is_its_teachers_beyond_the_bystander_and_normal_training(
    study: Study, own: float, normal: float, said: str
) -> None:
    """Of every study: another's whole page once had the answer of the first."""

    def values(level: float) -> dict[int, float]:
        return {seed: level + 0.001 * (-1) ** seed for seed in range(4)}

    sides = {"own": {"KD T=4": values(own), "normal": values(normal)}}
    sides["bystander"] = {label: dict.fromkeys(range(4), 0.5) for label in sides["own"]}
    found = class_agreement.Agreement(sides, {})
    none = class_agreement.Agreement({}, {})
    made = class_distances.agreements({"one": (study, found), "other": (study, none)})
    assert made.brief.startswith(f"**{said} on one (n\u00a0=\u00a04); it cannot be told on other, where ")
    first, second = made.answer.strip("*").split("; ")
    assert first.startswith(f"{said} on one: ") and second.startswith("it cannot be told on other, where ")
    where = "at T = 4 on one (1 of 1 " if own > normal + 0.01 else "at no T, not at 4 on one (0 of 1 "
    assert made.says.startswith(f"Agreement with the teacher is above normal training's by a whole interval {where}")


def test_separation_is_the_snapshots_over_seeds(study: Study) -> None:
    found = class_agreement.separation(study)
    run = next(run for run in study.every if run.spec.init_seed == 1 and run.label == "KD T=4")
    taken = run.snapshot("matched")
    assert taken is not None
    expected = separation.measures(taken.features, taken.labels)
    assert {name: found[name]["KD T=4"][1] for name in class_agreement.SEPARATION} == {
        name: getattr(expected, name) for name in class_agreement.SEPARATION
    }
    made = class_distances.separations({"digits": (study, found)})
    drawable(made.figures[0])
    assert made.answer == "**It cannot be told from so few seeds on digits.**"
    beyond = over_seeds.beyond_normal(found["ratio"], "KD T=4")
    assert beyond.told("{:+z.2g}") in made.table and made.table.count("n\u00a0=\u00a02") == 4


@pytest.mark.parametrize(
    ("ratio", "knn", "silhouette", "cosine", "said"),
    [
        (1, 1, 1, -1, "yes on x, by all 4 measures"),
        (1, 1, 1, 1, "by 3 of 4 measures on x (worse by cosine of class means)"),
        (
            1,
            0,
            -1,
            0,
            "by 1 of 4 measures on x (not seen by kNN accuracy and cosine of class means, worse by silhouette)",
        ),
        (
            0,
            -1,
            0,
            0,
            "no on x (not seen by between / within, silhouette and cosine of class means, worse by kNN accuracy)",
        ),
        (0, 0, 0, 0, "not seen on x"),
    ],
)
def test_better_separation_is_said_by_measures(
    study: Study, ratio: int, knn: int, silhouette: int, cosine: int, said: str
) -> None:
    sides = dict(zip(class_agreement.SEPARATION, (ratio, knn, silhouette, cosine), strict=True))
    found = {
        key: {
            "KD T=4": {seed: side + 0.01 * (-1) ** seed for seed in range(4)},
            "normal": dict.fromkeys(range(4), 0.0),
        }
        for key, side in sides.items()
    }
    assert class_distances.better("x", study, found) == said
    without = {key: {"KD T=4": by["KD T=4"]} for key, by in found.items()}
    assert class_distances.better("x", study, without).startswith("it cannot be told on x, where ")
    assert class_distances.by_how_much({"x": (study, without)}) == ""
