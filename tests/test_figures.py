"""Figures say what the histories say: data, numbers in sentences, frames, colours; and survive incomplete stores."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch

from kdnb import display, explorer
from kdnb.evaluate import Outputs
from kdnb.figures import account, accuracy, correlation, mu, null, source, style, tsne, verdicts
from kdnb.figures.source import ChapterParameters, MapParameters, Study
from kdnb.files import write_json, write_tensors
from kdnb.parameters import read
from kdnb.runs import Run, RunSpec
from kdnb.teacher import checksum

TEACHER = {"classifier.weight": torch.arange(12.0).reshape(3, 4)}
SPEC = RunSpec(
    role="student",
    dataset="digits",
    data_checksum="0",
    model="resnet8",
    method="normal",
    method_parameters={},
    init_seed=0,
    order_seed=0,
    view_seed=0,
    epochs=24,
    batch_size=64,
    learning_rate=0.05,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    drops=(15, 18, 21),
    drop_factor=0.1,
    precision="fp32",
    teacher={"model": "resnet20", "checksum": checksum(TEACHER)},
    bystander={"model": "resnet20", "checksum": "1"},
    matched_on="clean_accuracy",
    matched_accuracy=0.9,
    clean_images=10,
)
CURVES = [
    *("loss", "test_accuracy", "weight_norm", *mu.MEASURES, *tsne.COSINES),
    *("spread", "pull_ce", "pull_decay", "account_residual", "bystander_pull_ce", "bystander_pull_decay"),
]


def kd(temperature: float, **changes: object) -> RunSpec:
    parameters = {"temperature": float(temperature), "alpha": 0.9}
    return replace(SPEC, method="kd", method_parameters=parameters, **changes)  # type: ignore[arg-type]


def history(epochs: int, seed: int, without: str = "$^") -> pd.DataFrame:
    """Positive random curves; the account is made to balance against raw mu."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({c: 1 + np.exp(-np.arange(epochs) / 9) + 0.1 * rng.random(epochs) for c in CURVES})
    table["test_accuracy"] = rng.integers(80, 100, epochs) / 100
    squares = np.concatenate([[9.0], table["mu_raw"] ** 2])
    table["pull_ce"] = np.diff(squares) - table["pull_decay"] - table["spread"]
    table.insert(0, "epoch", np.arange(1, epochs + 1))
    return table.drop(columns=[c for c in table if re.search(without, c)])


def outputs(seed: int, images: int = 60) -> Outputs:
    """Three classes whose centres lie apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % 3
    features = torch.randn(images, 8, generator=generator) + 4 * torch.eye(8)[labels]
    fields = {"features": features, "logits": features[:, :3], "labels": labels, "accuracy": 1.0, "loss": 0.0}
    return Outputs(**{name: fields[name] for name in Outputs._fields})


def write(folder: Path, spec: RunSpec, *, matched: bool = True, without: str = "$^", images: int = 60) -> Run:
    """A finished run with made-up results."""
    run = Run.open(folder, spec)
    number = sum(map(ord, spec.name))
    run.write_snapshot("final", outputs(number, images), outputs(1), spec.epochs)
    if matched:
        run.write_snapshot("matched", outputs(number + 1, images), outputs(1), 7)
    if spec.role == "teacher":
        write_tensors(run.path / "model.safetensors", TEACHER, {})
    history(spec.epochs, number, without).to_parquet(run.path / "history.parquet")
    return run


STUDENTS = [
    SPEC,
    *(kd(t) for t in (1, 4, 10)),
    replace(SPEC, method="dist", method_parameters={"temperature": 4.0}),
    replace(SPEC, method="mse", method_parameters={"alpha": 0.9}),
]
TEACHER_SPEC = replace(SPEC, role="teacher", model="resnet20", teacher=None, bystander=None)


def store(folder: Path, specs: Sequence[RunSpec] = STUDENTS, **options: object) -> Study:
    write(folder, replace(TEACHER_SPEC, epochs=specs[0].epochs))
    for spec in specs:
        write(folder, spec, **options)  # type: ignore[arg-type]
    return source.load(ChapterParameters(output_dir=str(folder)))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return store(tmp_path_factory.mktemp("runs"))


def rounded(values: object) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values, float)]


def luminance(color: str) -> float:
    """WCAG relative luminance of rgb(r, g, b)."""
    channels = np.array([float(part) for part in re.findall(r"[\d.]+", color)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ------------------------------------------------------------------------------------------------------- choosing runs
def test_students_come_in_the_order_of_the_paper_and_the_teacher_is_found_by_its_weights(study: Study) -> None:
    labels = [run.label for run in study.students]
    assert labels == ["normal", "KD T=1", "KD T=4", "KD T=10", "DIST", "MSE"]
    assert (study.warm_up, study.hottest) == (12, 10)
    assert study.teacher is not None and study.teacher.label == "teacher"


def test_another_networks_teacher_is_not_taken_for_theirs(tmp_path: Path) -> None:
    other = store(tmp_path, [replace(SPEC, teacher={"model": "resnet20", "checksum": "another"})])
    assert other.teacher is None


def test_an_empty_folder_says_how_to_make_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make study"):
        source.load(ChapterParameters(output_dir=str(tmp_path)))


def test_another_seed_or_alpha_is_left_out_and_named_when_nothing_is_left(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, replace(SPEC, init_seed=1)])
    assert len(source.load(ChapterParameters(output_dir=str(tmp_path))).students) == 1
    with pytest.raises(FileNotFoundError, match="seed 2.*normal-wd0.0005-s0"):
        source.load(ChapterParameters(output_dir=str(tmp_path), seed=2))


def test_a_warm_up_that_leaves_nothing_and_runs_of_unequal_length_are_refused(tmp_path: Path) -> None:
    store(tmp_path, [SPEC])
    with pytest.raises(ValueError, match="warm_up is 24.*24 epochs"):
        source.load(ChapterParameters(output_dir=str(tmp_path), warm_up=24))
    write(tmp_path, kd(4, epochs=6))
    with pytest.raises(ValueError, match="6, 24 epochs"):
        source.load(ChapterParameters(output_dir=str(tmp_path)))


def test_a_mistyped_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup"):
        read({"profile": "digits", "warmup": 3}, ChapterParameters)


# --------------------------------------------------------------------------------------------------------------- style
def test_temperatures_have_distinct_colours_of_rising_luminance() -> None:
    shades = [luminance(style.temperature_color(t, 10)) for t in range(1, 11)]
    assert (np.diff(shades) > 0.01).all()


def test_a_method_has_one_look_whatever_the_temperatures(study: Study) -> None:
    normal, dist, mse = (study.get(label) for label in ("normal", "DIST", "MSE"))
    assert normal and dist and mse
    looks = [style.line(run, 10) for run in (normal, dist, mse)]
    assert len({look["color"] for look in looks}) == len({look["dash"] for look in looks}) == 3
    assert style.line(normal, 2) == looks[0]


def test_rounding_keeps_four_significant_digits_and_leaves_gaps() -> None:
    values = np.random.default_rng(0).lognormal(0, 8, 1000)
    found = np.array(style.significant(values), float)
    assert (np.abs(found / values - 1) <= 5e-4).all()
    assert max(len(f"{v:e}".split("e")[0].rstrip("0")) for v in found) <= len("1.234")
    assert style.significant([1.0, np.nan, np.inf]) == [1.0, None, None]


def test_the_caption_counts_what_is_shown(study: Study) -> None:
    text = str(mu.curves(study).layout.title.text).replace("\u00a0", " ")
    assert text == "digits, resnet20 → resnet8 · n = 4 runs, seed 0 · epochs 13–24"


# --------------------------------------------------------------------------------------------------------------- mu
def test_curves_are_the_histories_after_the_cut(study: Study) -> None:
    shown = [run for run in study.students if run.spec.method in ("normal", "kd")]
    traces = mu.curves(study).data
    assert len(traces) == 2 * len(shown)
    columns = ["mu_raw"] * 4 + ["loss"] * 4
    for trace, run, column in zip(traces, shown * 2, columns, strict=True):
        kept = run.history[run.history["epoch"] > 12]
        assert trace.name == run.label
        assert list(trace.x) == list(range(13, 25))
        assert list(trace.y) == rounded(kept[column])


def test_the_menu_puts_each_measure_in_the_place_of_mu(study: Study) -> None:
    buttons = mu.curves(study).layout.updatemenus[0].buttons
    by_label = {button.label: button.args for button in buttons}
    data, _, traces = by_label["μ rotated"]
    assert list(traces) == [0, 1, 2, 3]
    assert list(data["y"][3]) == rounded(study.kd[10].history["mu_rotated"][12:])
    assert len(buttons) == len(mu.MEASURES)


def test_panels_and_animation_have_one_step_a_temperature_and_panels_share_axes(study: Study) -> None:
    figures, labels = mu.panels(study)
    assert labels == ["KD T=1", "KD T=4", "KD T=10"] and len(figures) == 3
    assert len({json.dumps(fig.to_plotly_json()["layout"]["yaxis"]) for fig in figures}) == 1
    last = {trace.name: trace for trace in figures[2].data[:2]}["KD at the chosen T"]
    assert list(last.y) == rounded(study.kd[10].history["mu_raw"])
    frames = mu.animation(study).frames
    assert [frame.name for frame in frames] == labels
    assert list(frames[1].data[1].y) == rounded(study.kd[4].history["loss"][12:])


def test_the_ladder_shows_unrelated_classifiers_of_the_same_norms(study: Study) -> None:
    figures, labels = mu.ladder(study)
    assert labels == [run.label for run in study.students]
    trace = next(t for t in figures[2].data if t.name == "nothing in common")
    assert study.teacher
    norm = study.teacher.history["weight_norm"].iloc[-1]
    assert list(trace.y) == rounded((norm**2 + study.kd[4].history["weight_norm"] ** 2) ** 0.5)


def test_the_sentence_of_mu_holds_the_change_after_the_cut(study: Study) -> None:
    h = study.kd[4].history
    change = (h["mu_raw"][23] - h["mu_raw"][12]) / h["mu_raw"][12]
    norm = (h["weight_norm"][23] - h["weight_norm"][12]) / h["weight_norm"][12]
    text = mu.sentence(study)
    assert f"({100 * change:+.1f}%)" in text and f"({100 * norm:+.1f}%)" in text
    assert f"rotated {100 * h['mu_rotated'][23] / h['mu_raw'][23]:.0f}%" in mu.ladder_sentence(study)


def test_the_bars_of_the_account_add_up_to_the_change_of_squared_mu(study: Study) -> None:
    fig = account.account(study)
    sides = [[t for t in fig.data if (t.yaxis or "y") == axis] for axis in ("y", "y2")]
    assert len(sides[0]) == len(sides[1])
    net = np.array(sides[0][-1].y, float)
    stacked = np.array([list(bar.y) for bar in sides[0][:-1]], float).sum(0)
    squares = [run.history["mu_raw"].to_numpy() ** 2 for run in study.students]
    change = [s[23] - s[11] for s in squares]
    assert net == pytest.approx(change, abs=2e-2) and stacked == pytest.approx(change, abs=2e-2)
    whole = study.kd[4].history["mu_raw"][23] ** 2 - 9
    assert f"changed by {whole:+.3g}" in account.sentence(study)
    everything = fig.layout.updatemenus[0].buttons[1].args[0]["y"]
    assert len(everything) == len(fig.data)
    assert everything[len(sides[0]) - 1][2] == pytest.approx(whole, abs=2e-2)


# ------------------------------------------------------------------------------------------------------- correlation
def pearson(run: Run, cut: int, column: str = "mu_raw") -> float:
    return float(np.corrcoef(run.history[column][cut:], run.history["loss"][cut:])[0, 1])


def test_fig_6_is_pearsons_r_at_every_warm_up(study: Study) -> None:
    figures, labels = correlation.movable(study)
    assert labels == [f"{cut} epochs" for cut in (0, 3, 6, 9, 12, 15, 18)]
    for fig, cut in zip(figures, (0, 3, 6, 9, 12, 15, 18), strict=True):
        real, control, normal, *_ = fig.data
        assert list(real.x) == [1, 4, 10]
        assert list(real.y) == pytest.approx([pearson(run, cut) for run in study.kd.values()], abs=1e-4)
        other = [pearson(run, cut, "bystander_mu_raw") for run in study.kd.values()]
        assert list(control.y) == pytest.approx(other, abs=1e-4)
        assert list(normal.y) == pytest.approx([pearson(study.students[0], cut)] * 2, abs=1e-4)
    assert f"r = {pearson(study.kd[4], 12):.3f}" in correlation.sentence(study)


def test_differences_leave_out_steps_across_a_drop(study: Study) -> None:
    table = correlation.readings(study)
    h = study.kd[4].history[12:]
    inside = ~h["epoch"][:-1].isin(SPEC.drops).to_numpy()
    steps = [np.diff(h[column])[inside] for column in ("mu_raw", "loss")]
    expected = np.corrcoef(*steps)[0, 1]
    assert table["r_differences"]["KD T=4"] == pytest.approx(expected)
    *phases, paper, changes = correlation.honest(study, table).data
    assert changes.y[2] == pytest.approx(expected, abs=1e-4)
    assert paper.y[2] == pytest.approx(pearson(study.kd[4], 12), abs=1e-4)
    assert [trace.name for trace in phases] == [f"epochs {s}" for s in ("13–15", "16–18", "19–21", "22–24")]
    assert f"{expected:.2f} [" in correlation.as_html(table)


def test_with_one_seed_the_null_says_so_with_three_it_pairs_each_with_each_other(study: Study, tmp_path: Path) -> None:
    assert null.pairs(study).empty
    assert "one seed" in null.sentence(null.pairs(study))
    three = store(tmp_path, [kd(4, init_seed=seed) for seed in range(3)] + [kd(1)])
    table = null.pairs(three)
    counts = table.groupby(["label", "kind"]).size().to_dict()
    assert counts == {("KD T=4", "same run"): 3, ("KD T=4", "other seed"): 6}
    same = [pearson(run, 12) for run in three.by_seeds["KD T=4"]]
    assert f"is {np.median(same):.3f}" in null.sentence(table)
    assert [len(trace.x) for trace in null.figure(three, table).data] == [6, 3]


def test_accuracy_is_the_last_epochs(study: Study) -> None:
    values = [run.history["test_accuracy"].iloc[-1] for run in study.kd.values()]
    fig = accuracy.figure(study)
    assert list(fig.data[0].y) == rounded(values)
    assert [trace.name for trace in fig.data] == ["KD", "normal", "DIST", "MSE", "teacher"]
    text = accuracy.sentence(study)
    assert f"{max(values):.2%}" in text and f"one image is {1 / 60:.2%}" in text


def test_the_points_behind_r_are_the_epochs_after_the_cut(study: Study) -> None:
    figures, _ = correlation.scatter(study)
    (points,) = figures[0].data
    assert list(points.marker.color) == list(range(13, 25))
    assert list(points.x) == rounded(study.students[0].history["loss"][12:])


def test_the_table_of_claims_has_a_row_for_each_and_the_sentence_counts_them(study: Study) -> None:
    judged = verdicts.judged(study)
    html = verdicts.as_html(judged)
    assert html.count("<tr") - 1 == len(judged) == 11
    assert "p &lt; 1e-70" in html
    reproduced = sum(found.verdict == "reproduced" for found in judged)
    assert f"{reproduced} reproduced" in verdicts.sentence(judged) or not reproduced


# ---------------------------------------------------------------------------------------------------------- features
@pytest.fixture(scope="module")
def spaces(study: Study) -> tsne.Spaces:
    return tsne.spaces(study)


def turned(spaces: tsne.Spaces) -> dict[str, np.ndarray]:
    """Stands for maps: two of the features."""
    return {label: taken.features[:, :2].astype(float) for label, taken in spaces.networks.items()}


def test_maps_show_the_same_images_in_every_panel_by_class(spaces: tsne.Spaces) -> None:
    fig = tsne.grid(spaces, turned(spaces))
    assert len(fig.data) == 5 * 3  # networks of Fig. 2, classes
    assert {len(trace.x) for trace in fig.data} == {20}
    assert sum(bool(trace.showlegend) for trace in fig.data) == 3
    assert len({tuple(axis.range) for axis in [*fig.select_xaxes(), *fig.select_yaxes()]}) == 1
    figures, labels = tsne.steps(spaces, turned(spaces))
    assert labels == ["normal", "KD T=1", "KD T=4", "KD T=10", "DIST", "MSE", "teacher"]
    assert len({tuple(fig.layout.xaxis.range) for fig in figures}) == 1


def test_tsne_starts_from_the_teacher_and_takes_the_first_points(spaces: tsne.Spaces) -> None:
    few = tsne.Spaces(spaces.study, {k: spaces.networks[k] for k in ("normal", "teacher")}, [])
    maps = tsne.maps(few, MapParameters(points=30, perplexity=5))
    assert few.reference == "teacher"
    assert {name: found.shape for name, found in maps.items()} == {"normal": (30, 2), "teacher": (30, 2)}


def test_measures_are_those_of_the_features(spaces: tsne.Spaces) -> None:
    table = tsne.measured(spaces)
    taken = spaces.networks["KD T=4"]
    means = np.stack([taken.features[taken.labels == k].mean(0) for k in range(3)])
    within = np.linalg.norm(taken.features - means[taken.labels], axis=1).mean()
    between = np.mean([np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert table["ratio"]["KD T=4"] == pytest.approx(between / within, rel=1e-4)
    length = np.linalg.norm(taken.features, axis=1).mean()
    assert table["within_norm"]["KD T=4"] == pytest.approx(within / length, rel=1e-4)
    fig = tsne.measures(spaces, table)
    ratio = next(t for t in fig.data if t.name == "KD" and t.xaxis == "x3")
    assert ratio.y[1] == pytest.approx(between / within, rel=1e-3)


def test_a_student_without_a_matched_snapshot_is_named_and_left_out(tmp_path: Path) -> None:
    store(tmp_path, [SPEC, kd(1)])
    write(tmp_path, kd(4), matched=False)
    found = tsne.spaces(source.load(ChapterParameters(output_dir=str(tmp_path))))
    assert "never reached it: KD T=4" in tsne.missing_sentence(found)
    assert list(found.networks) == ["normal", "KD T=1", "teacher"]
    fig = tsne.measures(found, tsne.measured(found))
    assert [list(trace.x) for trace in fig.data if trace.name == "KD"] == [[1]] * 6


def test_fig_5_is_the_cosine_beside_shuffled_pairs(study: Study) -> None:
    figures, labels = tsne.cosine(study)
    assert labels[0] == "normal"
    h = study.students[0].history
    for trace, column in zip(figures[0].data, tsne.COSINES, strict=True):
        assert list(trace.y) == rounded(h[column])
    start, end = h["feature_cosine"].iloc[[0, -1]]
    assert f"same image {start:.2f} → {end:.2f}" in tsne.cosine_sentence(study)


# -------------------------------------------------------------------------------------------------- incomplete stores
def everything(study: Study) -> dict[str, list[go.Figure]]:
    """All that the three notebooks show but t-SNE itself."""
    readings = correlation.readings(study)
    found = tsne.spaces(study)
    measured = tsne.measured(found)
    sentences = [
        mu.sentence(study),
        mu.ladder_sentence(study),
        account.sentence(study),
        correlation.sentence(study),
        correlation.honest_sentence(readings),
        null.sentence(null.pairs(study)),
        accuracy.sentence(study),
        verdicts.sentence(verdicts.judged(study)),
        tsne.missing_sentence(found),
        tsne.measures_sentence(measured),
        tsne.cosine_sentence(study),
    ]
    assert all(text.strip() and "nan" not in text for text in sentences), sentences
    tables = [correlation.as_html(readings), verdicts.as_html(verdicts.judged(study)), tsne.as_html(measured)]
    assert all("</table>" in text for text in tables)
    return {
        "03": [mu.curves(study), *mu.panels(study)[0], mu.animation(study), *mu.ladder(study)[0], mu.methods(study)]
        + [account.account(study)],
        "04": [*correlation.movable(study)[0], correlation.honest(study, readings), *correlation.scatter(study)[0]]
        + [accuracy.figure(study)],
        "05": [tsne.grid(found, turned(found)), *tsne.steps(found, turned(found))[0], *tsne.cosine(study)[0]]
        + [tsne.measures(found, measured)],
    }


@pytest.mark.parametrize(
    ("specs", "epochs", "options"),
    [
        (STUDENTS[:3], 4, {}),
        (STUDENTS[:1], 2, {}),
        ([kd(7.5)], 3, {}),
        (STUDENTS[4:], 3, {}),
        (STUDENTS[:3], 1, {"matched": False}),
        ([replace(spec, bystander=None) for spec in STUDENTS[:3]], 8, {"without": "bystander|pull|spread|residual"}),
    ],
    ids=["notebook test", "normal", "one T", "no T", "one epoch", "no bystander"],
)
def test_every_figure_of_an_incomplete_store_is_drawn(
    tmp_path: Path, specs: list[RunSpec], epochs: int, options: dict[str, object]
) -> None:
    drawn = everything(store(tmp_path, [replace(spec, epochs=epochs) for spec in specs], **options))
    for fig in [fig for chapter in drawn.values() for fig in chapter]:
        said = [note.text for note in fig.layout.annotations if "no r" in note.text]
        assert (len(fig.data) > 0) != bool(said)
        assert fig.layout.height <= 700
        assert "NaN" not in json.dumps(display.compact(fig))


def test_without_any_snapshot_the_maps_say_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, SPEC, matched=False)
    with pytest.raises(ValueError, match="lower matched_accuracy"):
        tsne.spaces(source.load(ChapterParameters(output_dir=str(tmp_path))))


def test_a_page_of_the_whole_paper_weighs_less_than_a_megabyte_and_a_half(tmp_path: Path) -> None:
    specs = [replace(s, epochs=240) for s in [*STUDENTS, *(kd(t) for t in (2, 3, 5, 6, 7, 8, 9))]]
    for chapter, figures in everything(store(tmp_path, specs, images=1000)).items():
        size = sum(len(json.dumps(explorer.pack([fig]), ensure_ascii=False)) for fig in figures)
        assert size < 1.4e6, f"chapter {chapter}: {size} bytes"


def test_a_stepper_opens_where_it_is_told(study: Study) -> None:
    figures, labels = correlation.movable(study)
    widget = explorer.stepper(figures, labels, description="warm-up", name="r", alt="r", start="12 epochs")
    assert (widget.slider.index, widget.view.index, widget.play.value) == (4, 4, 4)


def test_specs_of_the_store_are_what_a_run_writes(tmp_path: Path) -> None:
    """The made-up store is read as the real one is."""
    write_json(tmp_path / "spec.json", SPEC.as_json())
    assert Run(tmp_path).spec == SPEC
