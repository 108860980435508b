"""The claims page: every study at hand, a row a claim, a cell a study, intervals over seeds, links that lead there."""

import html
import json
import re
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import pytest
from exhibits import exhibits_of
from made_up import SPEC, STUDENTS, kd, lasting, store, write

from kdnb import paths
from kdnb.analysis import words
from kdnb.analysis.selection import ClaimsParameters
from kdnb.book import links
from kdnb.claims import controls, paper, studies
from kdnb.claims.judge import MARKS
from kdnb.claims.studies import Judged
from kdnb.figures import claim_words, style
from kdnb.figures import claims as claims_page

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
    return studies.judged(chosen)


# ------------------------------------------------------------------------------------------------------ which studies
def test_every_study_is_judged_by_itself_and_a_weight_decay_is_a_study(found: list[Judged]) -> None:
    assert [(one.title, one.key) for one in found] == [
        ("digits", "digits"),
        ("digits, no weight decay", "digits_no_decay"),
        ("cifar100-small", "cifar100_small"),
        ("cifar100-small, no weight decay", "cifar100_small_no_decay"),
    ]
    assert [max(v.evidence["n"] for v in one.verdicts) for one in found] == [3, 1, 1, 1]


def test_runs_that_are_there_twice_are_counted_once_and_named(found: list[Judged]) -> None:
    """The published digits repeat some of this study's runs."""
    assert [one.copies for one in found] == [("6 students trained here",), (), (), ()]
    assert "Counted once: 6 students trained here (runs of digits, too)." in claims_page.experiments(found).says
    smaller = replace(found[0], students=found[0].students[:2])
    (kept,) = studies.independent([smaller, found[0]])
    assert kept.students == found[0].students and kept.copies == (*found[0].copies, "2 students trained here")


def test_two_studies_of_one_profile_that_share_nothing_have_two_names(found: list[Judged]) -> None:
    named = studies.named([found[0], found[0]])
    assert [one.title for one in named] == ["digits, trained here", "digits"]


def test_how_a_study_differs_from_the_paper_is_read_off_its_runs(found: list[Judged]) -> None:
    made = claims_page.experiments(found)
    assert made.answer == "**None.**"
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", made.table, re.S)
    assert len(rows) == 2 + len(found) and "resnet32x4 → resnet8x4" in rows[1] and "100 &lt; 256" in rows[1]
    assert "resnet20 → resnet8" in rows[2] and "<td>24</td>" in rows[2] and "3 seeds" in rows[2]


def test_published_runs_are_this_studys_where_it_has_none_and_are_not_shown_twice(chosen: ClaimsParameters) -> None:
    results = Path(chosen.results_dir or "")
    for own in ({"output_dir": None}, {"output_dir": str(results / "digits")}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KDNB_RUNS", str(results.parent / "nowhere"))
            names = [one.name for one in studies.judged(replace(chosen, **own))]
        assert sorted(names) == ["cifar100-small", "cifar100-small", "digits"]


def test_a_published_profile_that_is_asked_for_is_judged_without_a_whole_sweep(tmp_path: Path) -> None:
    """It used to be left out without a word, and alone in its folder it was said not to be there."""
    store(tmp_path / "results" / "digits-d8", [SPEC, kd(4)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDNB_RUNS", str(tmp_path / "nowhere"))
        found = studies.judged(ClaimsParameters(profile="digits-d8", results_dir=str(tmp_path / "results")))
    assert [one.name for one in found] == ["digits-d8"]


def test_a_profile_that_is_asked_for_and_has_no_student_is_said(chosen: ClaimsParameters) -> None:
    """Its teachers may be published: the page then showed the other studies without a word."""
    asked = replace(chosen, profile="cifar100-half", output_dir=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDNB_RUNS", str(Path(chosen.results_dir or "").parent / "nowhere"))
        found = studies.judged(asked)
        absent = studies.absent(found, asked)
        assert not studies.absent(found, replace(asked, profile="digits"))
    assert absent == "cifar100-half"
    said = "cifar100-half is not here: none of its students that are asked for is finished."
    assert claims_page.experiments(found, absent).says == said
    assert not studies.absent(studies.judged(chosen), chosen)


def test_no_runs_at_all_and_a_named_folder_without_runs_are_said(chosen: ClaimsParameters, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no finished students; train them there"):
        studies.judged(replace(chosen, output_dir=str(tmp_path)))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(FileNotFoundError, match="neither .* nor .* holds"):
        patch.setenv("KDNB_RUNS", str(tmp_path))
        studies.judged(ClaimsParameters(results_dir=str(tmp_path)))


def test_the_other_reading_of_the_loss_is_judged_apart(tmp_path: Path) -> None:
    unsquared = replace(SPEC, method="kd", method_parameters={"temperature": 4.0, "alpha": 0.9, "squared": 0.0})
    store(tmp_path / "own", [SPEC, unsquared])
    chosen = ClaimsParameters(output_dir=str(tmp_path / "own"), results_dir=str(tmp_path / "none"))
    tested = [studies.judged(replace(chosen, squared=squared))[0].verdicts[0].seeds for squared in (True, False)]
    assert [list(seeds) for seeds in tested] == [[], [0]]


# ----------------------------------------------------------------------------------------------------------- the page
def test_a_temperature_without_an_r_is_none_at_which_r_is_not_positive(tmp_path: Path) -> None:
    store(tmp_path / "own", [lasting(spec, 2) for spec in (SPEC, kd(1), kd(4))])
    chosen = ClaimsParameters(output_dir=str(tmp_path / "own"), results_dir=str(tmp_path / "none"))
    made = claims_page.by_temperature(studies.judged(chosen))
    assert made.answer == "**It cannot be told: no student here learned by KD and has an r.**"


def test_the_summary_has_a_row_a_claim_and_a_cell_a_study(found: list[Judged]) -> None:
    body = [row for row in claims_page.summary(found).split("<tbody>")[1:] if "rowgroup" in row]
    assert len(body) == len(paper.CLAIMS) == 11
    for row, claim in zip(body, sorted(paper.CLAIMS, key=lambda claim: claim.borrowed), strict=True):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        for cell, one in zip(cells, found, strict=True):
            verdict, checks = one.of(claim), one.checks(claim)
            assert cell.startswith(verdict.sign)
            if verdict.seeds:
                main = claim.measure.over_seeds(verdict.values[next(iter(claim.measures))])
                assert f"<small>{main}, n = {len(verdict.seeds)}" in cell
            assert (controls.standing(checks) in cell) == bool(checks) or not checks
        assert f'href="#{claim.id.lower()}"' in row and html.escape(claim.title) in row


def test_what_the_paper_quotes_stands_apart_and_is_not_counted(found: list[Judged]) -> None:
    text = claims_page.summary(found)
    assert text.index("C10</a>") < text.index("From other works") < text.index("C5</a>") < text.index("C11</a>")
    for one in found:
        assert len(paper.counted(one.verdicts)) == 9
        assert claim_words.sentence(one.verdicts).startswith("Of 9 claims: ")


def test_the_answer_counts_what_is_found_study_by_study(found: list[Judged]) -> None:
    said = claims_page.answer(found)
    for one in found:
        mine = [v.verdict for v in paper.counted(one.verdicts)]
        tested = len(mine) - mine.count("not testable")
        seeds = "1 to 3 seeds" if one is found[0] else "1 seed"
        ids = [v.claim.id for v in paper.counted(one.verdicts) if v.verdict == "found here too"]
        assert words.capital(f"{style.joined(ids) if ids else 'none'} of {tested} on {one.title} ({seeds}")[1:] in said


def test_r_is_shown_at_every_temperature_with_the_seeds_in_which_it_is_positive(found: list[Judged]) -> None:
    first = found[0]
    r = {v.claim.id: v for v in first.verdicts}["C1"].values["r"]
    assert list(first.r[4.0]) == list(r) and list(first.r) == sorted(first.r)
    positive = sum(value > 0 for value in first.r[4.0])
    assert f"{claims_page.R.over_seeds(first.r[4.0])}<br><small>{positive} of {len(r)}<" in claims_page.strip(found)
    above, unclear, below = [0.9, 0.8, 0.7], [0.9, 0.8, -0.1], [-0.9, -0.8, -0.7]
    for r, said in (
        ({1.0: above, 4.0: above}, "Yes: {on digits at T = 1 and 4 (n = 3)}"),
        ({1.0: above, 4.0: below}, "At some temperatures only: {on digits at T = 1 (n = 3)}"),
        ({1.0: above, 4.0: unclear}, "At some temperatures only: {on digits at T = 1 (n = 3)}"),
        ({1.0: below}, "No: {on digits at no T that has three seeds (n = 3)}"),
        ({1.0: [0.5]}, "It cannot be told: no study here has three seeds"),
        ({1.0: [0.5], 4.0: above}, "At some temperatures only: {on digits at T = 4 (n = 3)}"),
    ):
        text = said.replace("{", "by a whole interval over seeds r is positive ").replace("}", "")
        assert claims_page.temperatures_answer([replace(first, r=r)]) == f"**{text}.**"
    assert "cannot be told" in claims_page.temperatures_answer([replace(first, r={})])


@pytest.mark.parametrize("claim", paper.CLAIMS, ids=lambda claim: claim.id)
def test_a_section_shows_every_number_with_its_seeds_and_every_part(found: list[Judged], claim: paper.Claim) -> None:
    text = claims_page.section(claim, found)
    assert html.escape(claim.text) in text and html.escape(claim.figure) in text
    marks = " ".join(MARKS[one.of(claim).verdict] for one in found)
    assert f"{marks}</summary>" in text and f'id="{claim.id.lower()}"' in text
    cards = text.split('role="group"')[1:]
    assert len(cards) == len(found)
    for card, one in zip(cards, found, strict=True):
        verdict = one.of(claim)
        assert verdict.sign in card
        if not verdict.seeds:
            assert f"<p>It needs {html.escape(verdict.missing)}.</p>" in card
            continue
        for name, shown in claim.measures.items():
            assert html.escape(shown.text) in card and shown.over_seeds(verdict.values[name]) in card
            if len(verdict.seeds) > 1 and shown.kind != "choice":
                assert f"95%: {shown.between(verdict.values[name])}" in card
        assert card.count("<li>") == len(verdict.parts)
        for part, held in verdict.parts.items():
            assert f"{html.escape(part)}: {held} of {len(verdict.seeds)}" in card


@pytest.mark.parametrize("claim", paper.CLAIMS, ids=lambda claim: claim.id)
def test_a_card_folds_its_controls_under_their_count_with_number_interval_and_answer(
    found: list[Judged], claim: paper.Claim
) -> None:
    cards = claims_page.section(claim, found).split('role="group"')[1:]
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
            count = f" (n\u00a0=\u00a0{len(check.values)})" if check.values else ""
            between = check.measure.told(check.interval, len(check.values))
            assert f"95%: {between}{count}<" in card


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
    assert f'href="{shown.chapter}.html#{shown.id("digits")}"' in claims_page.section(claim, found)


def test_in_colab_a_claim_links_to_the_notebook(found: list[Judged], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "live")
    monkeypatch.setattr(paths, "root", lambda: ROOT)
    (link,) = re.findall(r'href="([^"]*)"', claims_page.section(paper.CLAIMS[0], found))
    assert re.fullmatch(r"https://[^#]*/blob/main/notebooks/04_correlation\.ipynb", link)
