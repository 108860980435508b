"""``kdnb status`` and ``kdnb plan``: a sweep at a glance, and what it will cost."""

import time
from pathlib import Path
from typing import Any

import tyro

from kdnb.files import write_atomically
from kdnb.parameters import Count, checked


@checked
class Status:
    """How far a sweep is, from its run folders alone; also while jobs run elsewhere (see kdnb.sweep.status)."""

    name: tyro.conf.Positional[str]  # a configuration in config/, or a file; or a folder of runs: whatever is in it
    runs: Path | None = None  # where the runs are, if not where the configuration says
    page: Path | None = None  # write the same as a page of HTML into this file

    def run(self) -> None:
        """Look, and say."""
        from kdnb.sweep import status, status_words

        title, groups, settings = self._asked()
        survey = status.survey(groups, settings)
        if self.page is None:
            print(status_words.text(title, survey))
            return
        content = status_words.page(title, survey, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))
        write_atomically(self.page, lambda file: file.write_text(content, encoding="utf-8"))
        print(f"{self.page}: {title}, {status_words.summary(survey)}")

    def _asked(self) -> tuple[str, dict[str, list[Path]], dict[Path, dict[str, Any]]]:
        """A title, the run folders by group, and what is asked of each."""
        from kdnb import paths
        from kdnb.sweep import configuration, status

        if self.runs and not self.runs.is_dir():
            raise ValueError(f"runs is {str(self.runs)!r}, and there is no such folder; name that of the runs.")
        if self.name not in configuration.known() and (folder := paths.given(self.name)).is_dir():
            found = status.found(folder)
            if self.runs or not any(found.values()):
                why = (
                    "is itself a folder of runs: leave --runs out" if self.runs else "holds no runs; name their folder"
                )
                raise ValueError(f"{folder} {why}.")
            return f"all runs in {folder}", found, {}
        asked = configuration.read(self.name, self.runs)
        return f"{self.name} ({asked.file.name}, runs in {asked.runs})", asked.folders(), asked.settings()


@checked
class Plan:
    """Jobs, hours and disk of a sweep before it is begun (see kdnb.sweep.plan)."""

    name: tyro.conf.Positional[str]  # a configuration in config/, or a file
    card: str | None = None  # hours of which card: a part of its name; None: every card that was measured
    runs_a_job: Count | None = None  # so many students a job at most; None: as the configuration says

    def run(self) -> None:
        """Count, and say."""
        from kdnb.sweep import configuration, costs, plan, plan_words

        jobs, measured = plan.jobs(configuration.read(self.name), self.runs_a_job), costs.read()
        print(plan_words.text(self.name, jobs))
        for card, of_it in costs.by_card(costs.of_card(self.card, measured) if self.card else measured).items():
            print("", plan_words.hours_text(card, jobs, of_it), sep="\n")
