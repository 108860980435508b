"""The claims page: every study at hand, a row a claim, a cell a study, intervals over seeds, links that lead there."""

import html
import json
import re
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import pytest
from exhibits import exhibits_of
from made_up import SPEC, STUDENTS, kd, store, write

from kdnb import paths
from kdnb.analysis.selection import ClaimsParameters
from kdnb.book import links
from kdnb.claims import controls, paper
from kdnb.figures import claim_words
from kdnb.figures import claims as claims_page
from kdnb.figures.claims import Judged

ROOT = Path(__file__).parents[2]
SEEDS = [*(replace(spec, init_seed=seed) for seed in (1, 2) for spec in STUDENTS[:4])]
NO_DECAY = [replace(spec, weight_decay=0.0) for spec in (SPEC, kd(4))]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ClaimsParameters:
    """One's own digits with three seeds and a few runs without decay, and two published studies."""
    folder = tmp_path_factory.mktemp("studies")
    store(folder / "own", STUDENTS)
    for spec in [*SEEDS, *NO_DECAY]:
        write(folder / "own", spec)
    sweep = [SPEC, *(kd(t) for t in (1, 2, 4, 6, 8))]
    store(folder / "results" / "digits", sweep)
    store(folder / "results" / "cifar100-small", [replace(spec, dataset="cifar100") for spec in sweep])
    store(folder / "results" / "digits-d8", [SPEC, kd(4)])  # no sweep: nothing of the paper's to judge
    for decay in (0.0, 2e-3):  # the paper's other one, and one that no claim is about
        for spec in sweep:
            write(folder / "results" / "cifar100-small", replace(spec, dataset="cifar100", weight_decay=decay))
    (folder / "results" / "empty").mkdir()
    store(folder / "results" / ".publish-half", [SPEC])  # being published
    return ClaimsParameters(output_dir=str(folder / "own"), results_dir=str(folder / "results"))


@pytest.fixture(scope="module")
def found(chosen: ClaimsParameters) -> list[Judged]:
    return claims_page.judged(chosen)


# ------------------------------------------------------------------------------------------------------ which studies
def test_every_study_is_judged_by_itself_and_a_weight_decay_is_a_study(found: list[Judged]) -> None:
    assert [(one.name, one.decay, one.key) for one in found] == [
        ("digits", "weight decay 0.0005", "digits"),
        ("digits", "no weight decay", "digits_no_decay"),
        ("cifar100-small", "weight decay 0.0005", "cifar100_small"),
        ("cifar100-small", "no weight decay", "cifar100_small_no_decay"),
        ("digits, published", "weight decay 0.0005", "digits_published"),
    ]
    assert found[0].runs == "resnet20 → resnet8, 24 epochs, seeds 0, 1 and 2"
    assert [max(v.evidence["n"] for v in one.verdicts) for one in found] == [3, 1, 1, 1, 1]


def test_published_runs_are_this_studys_where_it_has_none_and_are_not_shown_twice(chosen: ClaimsParameters) -> None:
    results = Path(chosen.results_dir or "")
    for own in ({"output_dir": None}, {"output_dir": str(results / "digits")}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KDNB_RUNS", str(results.parent / "nowhere"))
            names = [one.name for one in claims_page.judged(replace(chosen, **own))]
        assert sorted(names) == ["cifar100-small", "cifar100-small", "digits"]


def test_no_runs_at_all_and_a_named_folder_without_runs_are_said(chosen: ClaimsParameters, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no finished students; train them there"):
        claims_page.judged(replace(chosen, output_dir=str(tmp_path)))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(FileNotFoundError, match="neither .* nor .* holds"):
        patch.setenv("KDNB_RUNS", str(tmp_path))
        claims_page.judged(ClaimsParameters(results_dir=str(tmp_path)))


def test_the_other_reading_of_the_loss_is_judged_apart(tmp_path: Path) -> None:
    unsquared = replace(SPEC, method="kd", method_parameters={"temperature": 4.0, "alpha": 0.9, "squared": 0.0})
    store(tmp_path / "own", [SPEC, unsquared])
    chosen = ClaimsParameters(output_dir=str(tmp_path / "own"), results_dir=str(tmp_path / "none"))
    tested = [claims_page.judged(replace(chosen, squared=squared))[0].verdicts[0].seeds for squared in (True, False)]
    assert [list(seeds) for seeds in tested] == [[], [0]]


# ----------------------------------------------------------------------------------------------------------- the page
def test_the_summary_has_a_row_a_claim_and_a_cell_a_study(found: list[Judged]) -> None:
    body = claims_page.summary(found).split("<tbody>")[1:]
    assert len(body) == len(paper.CLAIMS) == 11
    for row, claim in zip(body, paper.CLAIMS, strict=True):
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", row)
        assert cells == [one.of(claim).sign for one in found]
        marks = re.findall(r"<td[^>]*><small>([^<]*)</small></td>", row)
        checks = [one.checks(claim) for one in found] if claim.id in controls.CONTROLS else []
        assert marks == [controls.standing(c) if c else "" for c in checks]
        assert f'href="#{claim.id.lower()}"' in row and html.escape(claim.title) in row


@pytest.mark.parametrize("claim", paper.CLAIMS, ids=lambda claim: claim.id)
def test_a_section_shows_every_number_with_its_seeds_and_every_part(found: list[Judged], claim: paper.Claim) -> None:
    text = claims_page.section(claim.id, found)
    assert html.escape(claim.text) in text and html.escape(claim.figure) in text
    cards = text.split('role="group"')[1:]
    assert len(cards) == len(found)
    for card, one in zip(cards, found, strict=True):
        verdict = one.of(claim)
        assert verdict.sign in card
        if not verdict.seeds:
            assert html.escape(verdict.sentence) in card
            continue
        for name, shown in claim.measures.items():
            assert html.escape(shown.text) in card and shown.over_seeds(verdict.values[name]) in card
            if len(verdict.seeds) > 1 and shown.kind != "choice":
                assert f"95 %: {shown.between(verdict.values[name])}" in card
        assert card.count("<li>") == len(verdict.parts)
        for part, held in verdict.parts.items():
            assert f"{html.escape(part)}: {held} of {len(verdict.seeds)}" in card


@pytest.mark.parametrize("claim", paper.CLAIMS, ids=lambda claim: claim.id)
def test_a_card_folds_its_controls_under_their_count_with_number_interval_and_answer(
    found: list[Judged], claim: paper.Claim
) -> None:
    cards = claims_page.section(claim.id, found).split('role="group"')[1:]
    for card, one in zip(cards, found, strict=True):
        checks = one.controls[claim.id] if claim.id in one.controls and one.of(claim).seeds else []
        assert card.count("<details") == (len(checks) > 0)
        assert card.partition("<details")[2].count("<dd") == len(checks)
        if checks:
            assert f"each {'below' if claim.id == 'C2' else 'above'} 0" in card
            assert f"Controls: <strong>{controls.standing(checks)}</strong></summary>" in card
        for check in checks:
            mark = {"yes": "✓", "no": "✗", "cannot be said": "?"}[check.answer]
            assert f"{mark} {html.escape(check.measure.text)}</dt>" in card
            assert f"95 %: {check.measure.between(check.values)}<" in card


def test_how_the_claims_stand_is_said_study_by_study(found: list[Judged]) -> None:
    first, *others = claims_page.stood(found).splitlines()
    checked = [one for claim in paper.CLAIMS if (one := found[0].checks(claim))]
    answers = [check.answer for checks in checked for check in checks if check.answer != "cannot be said"]
    stand = sum(all(check.answer == "yes" for check in checks) for checks in checked)
    assert f": {answers.count('yes')} of {len(answers)} checks are answered yes; {stand} of {len(checked)} cl" in first
    assert len(others) == 4 and all("nothing can be said; it takes 3 seeds" in line for line in others)


def test_the_sentences_count_and_compare(found: list[Judged]) -> None:
    text = claims_page.counts(found)
    assert text.count("\n- **") == len(found) - 1 and all(claim_words.sentence(one.verdicts) in text for one in found)
    found = claims_page.independent(found)
    assert [one.name for one in found] == [
        "digits",
        "digits",
        "cifar100-small",
        "cifar100-small",
    ]  # published: the same
    tested = [c for c in paper.CLAIMS if all(one.of(c).seeds for one in found)]
    differ = [c.id for c in tested if len({one.of(c).verdict for one in found}) > 1]
    said = claims_page.agreement(found)
    assert said.startswith(f"{len(tested)} of 11") and f": {len(tested) - len(differ)} of them" in said
    assert all(name in said for name in differ)


def test_what_may_be_quoted_is_glued_and_not_displayed(found: list[Judged], monkeypatch: pytest.MonkeyPatch) -> None:
    glued: dict[str, str] = {}

    def display(bundle: dict[str, str], *, raw: bool, metadata: dict[str, dict[str, str]]) -> None:
        known = metadata["scrapbook"]
        (kind,) = bundle
        assert raw and kind == f"{known['mime_prefix']}text/plain"  # what myst_nb.glue(display=False) writes
        glued[known["name"]] = literal_eval(bundle[kind])  # as glue:text does: 0.410 keeps its 0

    monkeypatch.setattr(links, "display", display)
    links.glue(found)
    quoted = [paper.quotable(one.verdicts).keys() | controls.quotable(one.controls).keys() for one in found]
    assert len(glued) == sum(map(len, quoted))
    assert glued["digits_c1_controls"] == controls.tally(found[0].controls["C1"])
    assert glued["digits_no_decay_c1_controls"] == "cannot be said" and glued["digits_standing"].endswith(" of 6")
    first = found[0].verdicts[0]
    assert glued["digits_c1"] == first.verdict and glued["digits_c1_n"] == "3"
    assert glued["digits_c1_r"] == f"{first.evidence['r']:z.3f}".replace("-", "−")
    assert " to " in glued["digits_c1_r_interval"]
    assert glued["digits_no_decay_c1_r_interval"] == "one seed, no interval"
    assert glued["cifar100_small_c4_peak"] == "not tested"


# -------------------------------------------------------------------------------------------------------------- links
def cells(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


@pytest.mark.parametrize("claim", paper.CLAIMS, ids=lambda claim: claim.id)
def test_the_figure_a_claim_links_to_is_in_that_chapter(claim: paper.Claim, found: list[Judged]) -> None:
    shown = claims_page.SHOWN[claim.id]
    assert shown in exhibits_of(shown.chapter)
    assert f'href="{shown.chapter}.html#{shown.id()}"' in claims_page.section(claim.id, found)


def test_in_colab_a_claim_links_to_the_notebook(found: list[Judged], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "live")
    monkeypatch.setattr(paths, "root", lambda: ROOT)
    (link,) = re.findall(r'href="([^"]*)"', claims_page.section("C1", found))
    assert re.fullmatch(r"https://[^#]*/blob/main/notebooks/04_correlation\.ipynb", link)


def test_the_notebook_has_a_section_a_claim_under_its_title() -> None:
    sources = cells(ROOT / "notebooks" / "12_claims.ipynb")
    for claim in paper.CLAIMS:
        (place,) = [k for k, s in enumerate(sources) if s.startswith(f"({claim.id.lower()})=\n")]
        assert sources[place].splitlines()[1] == f"## {claim.id}. {claim.title}"
        assert f'claims.claim("{claim.id}", judged)' in sources[place + 1]
