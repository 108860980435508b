"""Which studies the paper's claims are judged on: this study and the published ones, each piece of evidence once."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kdnb import paths, profiles, runs
from kdnb.analysis import words
from kdnb.analysis.selection import ChapterParameters, ClaimsParameters, is_papers, name_of
from kdnb.analysis.students import Students, of_each_seed
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check
from kdnb.claims.judge import Claim, Verdict
from kdnb.claims.paper_numbers import r_by_temperature
from kdnb.claims.thresholds import LEAST_TEMPERATURES
from kdnb.runs import Run

DECAYS = (5e-4, 0.0)  # the paper's two readings of its weight decay; r at others: kdnb.figures.correlation.decays


@dataclass(frozen=True)
class Judged:
    """The verdicts on one study: runs of one folder and weight decay.

    name      its profile
    students  those it is judged on, of all seeds and alphas
    controls  the checks of each claim that has any, by its id
    r         C1's number at each of the paper's temperatures, a value a seed
    copies    studies at hand whose runs are among these, so that they are no further evidence
    """

    name: str
    students: Sequence[Run]
    verdicts: Sequence[Verdict]
    controls: Mapping[str, Sequence[Check]]
    r: Mapping[float, Sequence[float]]
    copies: Sequence[str] = ()

    @property
    def decay(self) -> str:
        """Its weight decay, in words."""
        decay = self.students[0].spec.weight_decay
        return f"weight decay {decay:g}" if decay else "no weight decay"

    @property
    def title(self) -> str:
        """Its name, and its weight decay where that is not the main sweep's."""
        return self.name if self.decay == _MAIN else f"{self.name}, {self.decay.removeprefix('weight ')}"

    @property
    def key(self) -> str:
        """What its glued values begin with: digits, digits_no_decay, cifar100_small."""
        short = {_MAIN: "", "no weight decay": "no decay"}
        return re.sub(r"\W+", "_", f"{self.name} {short.get(self.decay, self.decay)}".strip())

    @cached_property
    def trained(self) -> frozenset[str]:
        """Its students' specs: the same spec trained twice gives the same numbers, and is one piece of evidence."""
        return frozenset(json.dumps(run.spec.as_json(), sort_keys=True) for run in self.students)

    def of(self, claim: Claim[Students]) -> Verdict:
        """The verdict on ``claim``."""
        return next(found for found in self.verdicts if found.claim.id == claim.id)

    def checks(self, claim: Claim[Students]) -> Sequence[Check]:
        """The controls of ``claim``; none where it has none, or cannot be tested."""
        return self.controls.get(claim.id, ()) if self.of(claim).seeds else ()


_MAIN = f"weight decay {ChapterParameters.weight_decay:g}"


def judged(chosen: ClaimsParameters) -> list[Judged]:
    """This study's verdicts, then those of every published study that is further evidence.

    Raises: FileNotFoundError when there are no runs at all, or none in the folder that is named.
    """
    found = [one for name, folder in _folders(chosen) for one in _by_decay(name, folder, chosen)]
    if not found:
        raise FileNotFoundError(
            f"neither {_own(chosen)} nor {_kept(chosen)} holds finished students. Train them with "
            "notebooks/02_students.ipynb, or clone the repository, whose results/ holds published ones."
        )
    return named(independent(found))


def absent(found: Iterable[Judged], chosen: ClaimsParameters) -> str:
    """The profile asked for where it is not among ``found``, as while none of its students is finished; else empty."""
    folders = {_own(chosen).resolve(), (_kept(chosen) / chosen.profile).resolve()}
    there = {one.students[0].path.parent.resolve() for one in found}
    return "" if there & folders else chosen.profile


def _own(chosen: ClaimsParameters) -> Path:
    profiles.get(chosen.profile)
    return paths.given(chosen.output_dir) if chosen.output_dir else paths.runs(chosen.profile)


def _kept(chosen: ClaimsParameters) -> Path:
    return paths.given(chosen.results_dir) if chosen.results_dir else paths.root() / "results"


def _folders(chosen: ClaimsParameters) -> Iterator[tuple[str, Path]]:
    """Folders with finished students and the name of their study, this study first."""
    own = _own(chosen)
    if mine := runs.find(own, role="student"):
        yield name_of(chosen.profile, mine), own
    elif chosen.output_dir is not None:
        raise FileNotFoundError(f"{own} holds no finished students; train them there, or name another output_dir.")
    # A hidden folder is one that is being published.
    for folder in sorted(_kept(chosen).glob("[!.]*/"), key=lambda folder: (folder.name != chosen.profile, folder.name)):
        if folder.resolve() != own.resolve() and runs.find(folder, role="student"):
            yield folder.name, folder


def _by_decay(name: str, folder: Path, chosen: ClaimsParameters) -> Iterator[Judged]:
    """A verdict for each weight decay, the main one first; of published studies at the paper's, of other profiles' only
    those with its sweep.
    """
    students = [run for run in runs.find(folder, role="student") if is_papers(run, chosen.squared)]
    main = ChapterParameters.weight_decay
    for decay in sorted({run.spec.weight_decay for run in students}, key=lambda decay: (decay != main, -decay)):
        mine = [run for run in students if run.spec.weight_decay == decay]
        if folder == _own(chosen) or (decay in DECAYS and (name == chosen.profile or has_sweep(mine))):
            yield Judged(name, mine, paper.judge(mine), controls.judge(mine), r_by_temperature(of_each_seed(mine)))


def has_sweep(students: Sequence[Run]) -> bool:
    """Whether there is normal training, and KD at enough temperatures to see a course of r."""
    temperatures = {run.spec.method_parameters["temperature"] for run in students if run.spec.method == "kd"}
    return len(temperatures) >= LEAST_TEMPERATURES and any(run.spec.method == "normal" for run in students)


def independent(found: Sequence[Judged]) -> list[Judged]:
    """Those that share no run with a larger one, which names them: digits here and published are one study, not two."""
    kept: dict[int, Judged] = {}
    for place in sorted(range(len(found)), key=lambda place: -len(found[place].trained)):
        one = found[place]
        other = next((k for k, larger in kept.items() if one.trained & larger.trained), None)
        if other is None:
            kept[place] = one
        else:
            kept[other] = replace(kept[other], copies=(*kept[other].copies, _where(one)))
    return [kept[place] for place in sorted(kept)]


def named(found: Sequence[Judged]) -> list[Judged]:
    """Where two of one profile and decay are left, this study's, the first, is called *trained here*."""
    last = {one.key: place for place, one in enumerate(found)}
    return [
        one if last[one.key] == place else replace(one, name=f"{one.name}, trained here")
        for place, one in enumerate(found)
    ]


def _where(one: Judged) -> str:
    kind = "published" if one.students[0].is_published else "trained here"
    return f"{words.counted(len(one.students), 'student')} {kind}"
