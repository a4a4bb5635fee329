from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.hyperparameters import Study, search
from training.trainer import LearnOptions


@dataclass(frozen=True)
class Cake:
    sugar: float = 0.9
    minutes: float = 10.0
    name: str = "plain"


def suggest(trial: Any, usual: Cake) -> Cake:
    return replace(
        usual,
        sugar=trial.suggest_float("sugar", 0, 1),
        minutes=trial.suggest_float("minutes", 1, 100, log=True),
    )


def taste(cake: Cake) -> float:
    return 1 - (cake.sugar - 0.3) ** 2 - ((cake.minutes - 30) / 100) ** 2


def found(*, trials: int = 25, seed: int = 0) -> Study[Cake]:
    return search(suggest, taste, start=Cake(), options=LearnOptions(seed, trials))


def test_a_search_finds_something_better_than_the_usual_configuration() -> None:
    best = found()
    assert taste(best.config) > 0.98 > taste(Cake())


def test_the_usual_configuration_is_tried_first_and_stays_where_nothing_else_is_tried() -> None:
    only = found(trials=1)
    assert only.config == Cake()
    assert dict(only.trials[0].values) == {"sugar": 0.9, "minutes": 10.0}


def test_the_same_seed_makes_the_same_trials() -> None:
    first, second, other = found(), found(), found(seed=1)
    assert [trial.values for trial in first.trials] == [trial.values for trial in second.trials]
    assert first.config != other.config


def test_the_trials_are_listed_and_drawn(tmp_path: Path) -> None:
    found(trials=4).save(tmp_path)
    listed = json.loads((tmp_path / "search.json").read_text())
    assert (len(listed["trials"]), listed["config"]["name"]) == (4, "plain")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
