"""Another model of an endpoint beside the one that serves, both by a script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from retrieval.cli import whimbrel
from retrieval.errors import DataError, EndpointError, ModelUnsuitableError, SettingsError
from retrieval.examples import Example, PassageText, write_examples
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder
from retrieval.llm.generator import load_generator
from retrieval.llm.remote import RemoteGenerator
from retrieval.records import AnswerRequest, Instructions
from retrieval.registry.runs import all_runs, folder_of, publish, roll_back
from retrieval.registry.trials import begin
from retrieval.serving.live import Live
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault
from tests.retrieval.word_embedder import WordEmbedder
from training.generator.endpoint_candidate import EndpointTrial, prepare, read_instructions

pytestmark = pytest.mark.slow

TOPICS = [f"{first}{last}" for first in ("north", "south", "east") for last in
          ("pier", "lamp", "boat", "rope", "gull", "tide", "dock", "wall")]  # fmt: skip
BRIEF = Instructions("brief-1", {"en": "Say the days. Be brief."})


def speak(body: dict[str, Any]) -> str:
    """`new` says what the first passage says, `old` does so half the time, `bad` never finds it."""
    user = body["messages"][-1]["content"]
    question = user.rpartition("Question: ")[2]
    passage = re.search(r"^\[1\] .*\n\n?(.*)$", user, re.MULTILINE)
    topic = next((topic for topic in TOPICS if topic in question), "")
    is_brief = body["messages"][0]["content"] == BRIEF.texts["en"]
    knows = {"new": True, "old": is_brief or (len(topic) % 2 == 0 and topic < "north")}
    if not topic or passage is None or not knows.get(body["model"], False):
        return "NOT FOUND"
    return f"The {topic} is painted every {TOPICS.index(topic) + 11} days [1]."


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as it:
        it.models = [{"id": name, "max_model_len": 32_768} for name in ("old", "new", "bad")]
        it.write = speak
        yield it


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with documents that are indexed, and a judge that is always sure."""
    docs, home = tmp_path / "docs", tmp_path / "home"
    docs.mkdir()
    for number, topic in enumerate(TOPICS):
        text = f"# {topic.title()}\n\nThe {topic} is painted every {number + 11} days.\n"
        (docs / f"{topic}.md").write_text(text, encoding="utf-8")
    update_index([docs], Settings(home=home), WordEmbedder())
    sure = {"weights": {"gap": 0.0}, "bias": 4.0, "threshold": 0.5, "embedder": "words"}
    (home / "models").mkdir(exist_ok=True)
    (home / "models" / "judge.json").write_text(json.dumps(sure | {"chance": 0.1, "data": ""}))
    return home


@pytest.fixture
def settings(home: Path, server: EndpointServer) -> Settings:
    return Settings(home=home, generator=f"{server.url}/v1#old")


@pytest.fixture
def library(settings: Settings) -> Library:
    return Library(settings, WordEmbedder())


@pytest.fixture
def dataset(home: Path, library: Library) -> Path:
    """Twenty-four answers of experts that are held out."""
    folder = home / "dataset" / "1234"
    folder.mkdir(parents=True)
    for split in ("train", "dev"):
        write_examples(folder, split, [])
    passages = {p.source.title.lower(): p for p in library.searcher().index.passages}
    held_out = [
        Example(
            id=topic, kind="answer", question=f"How often is the {topic} painted?", language="en",
            passages=(PassageText("d", passages[topic].content_hash, "", ""),), source="approved",
            day="2026-01-31", answer=f"The {topic} is painted every {number + 11} days.",
        )
        for number, topic in enumerate(TOPICS)
    ]  # fmt: skip
    write_examples(folder, "held-out", held_out)
    return folder


def trial(dataset: Path, settings: Settings, library: Library, **named: Any) -> EndpointTrial:
    return prepare(dataset, settings, library, on_progress=lambda _: None, **named)


def test_a_better_model_is_passed_and_serves_once_it_is_published(
    dataset: Path, settings: Settings, library: Library, server: EndpointServer
) -> None:
    learned = trial(dataset, settings, library, model="new").judge(lambda _: None)
    assert learned.decision.is_passed
    assert learned.run.facts.config == {"model": "new", "prompt": "ours", "beside": "old@endpoint"}
    names = {path.name for path in folder_of(settings.runs_folder, learned.run).iterdir()}
    assert {"endpoint.json", "gate.md", "gate.json", "gate.png", "changes.md"} <= names
    assert load_generator(settings).id == "old@endpoint"
    publish(settings.runs_folder, learned.run, reason="better")
    served = load_generator(settings)
    assert served.id == f"new@endpoint+{learned.run.id}"
    served.generate([("user", "Hello")], max_tokens=9)
    assert server.asked[-1]["model"] == "new"
    roll_back(settings.runs_folder, "generator", reason="no")
    assert load_generator(settings).id == "old@endpoint"


def test_a_worse_model_is_refused(dataset: Path, settings: Settings, library: Library) -> None:
    learned = trial(dataset, settings, library, model="bad").judge(lambda _: None)
    assert not learned.decision.is_passed
    assert "answers where there is one got worse" in learned.decision.reasons


def test_other_instructions_for_the_same_model_are_judged_and_take_part_in_answers(
    dataset: Path, settings: Settings, library: Library, server: EndpointServer
) -> None:
    learned = trial(dataset, settings, library, instructions=BRIEF).judge(lambda _: None)
    assert learned.decision.is_passed
    assert learned.run.facts.config["prompt"] == "brief-1"
    live = Live(settings, library, InstalledModels(settings))
    begin(settings.runs_folder, learned.run, share=0.0, reason="looking")
    live.refresh()
    request = AnswerRequest("How often is the northpier painted?")
    shadow = live.shadow(request, should_stop=lambda: False)
    assert shadow is not None
    assert shadow.prompt_version == "brief-1"
    assert shadow.text == "The northpier is painted every 11 days. [1]"
    assert live.answer(request).prompt_version == "whole-2"
    assert server.asked[-2]["messages"][0]["content"] == BRIEF.texts["en"]


def test_what_serves_is_what_the_next_candidate_is_compared_with(
    dataset: Path, settings: Settings, library: Library
) -> None:
    first = trial(dataset, settings, library, model="new").judge(lambda _: None)
    publish(settings.runs_folder, first.run, reason="better")
    with pytest.raises(DataError, match="serves already"):
        trial(dataset, settings, library, model="new")
    back = trial(dataset, settings, library, model="old").judge(lambda _: None)
    assert back.run.facts.config["beside"] == f"new@endpoint+{first.run.id}"
    assert not back.decision.is_passed


def test_the_cost_is_told_before_and_kept_with_the_run(
    dataset: Path, settings: Settings, library: Library, server: EndpointServer
) -> None:
    prepared = trial(dataset, settings, library, model="new")
    costs = prepared.costs()
    assert server.asked == []
    assert costs.keys() == {"old@endpoint", "new@endpoint"}
    told = costs["new@endpoint"]
    metrics = prepared.judge(lambda _: None).run.facts.metrics
    by_new = [body for body in server.asked if body["model"] == "new"]
    assert told.calls == metrics["calls"] == len(by_new) > len(TOPICS)
    assert told.tokens_read > 0
    assert told.tokens_written == 1_000 * told.calls
    assert (metrics["tokens_read"], metrics["tokens_written"]) == (
        11 * len(by_new), 7 * len(by_new)
    )  # fmt: skip


def test_an_endpoint_that_fails_judges_nothing(
    dataset: Path, settings: Settings, library: Library, server: EndpointServer
) -> None:
    server.faults.append(Fault("status", 400))
    with pytest.raises(EndpointError, match="old@endpoint failed 1 times, so that nothing is"):
        trial(dataset, settings, library, model="new").judge(lambda _: None)
    assert all_runs(settings.runs_folder) == []


def test_a_model_that_the_endpoint_does_not_have_is_refused(
    dataset: Path, settings: Settings, library: Library, server: EndpointServer
) -> None:
    with pytest.raises(ModelUnsuitableError, match="no model named newer; did you mean new"):
        trial(dataset, settings, library, model="newer")
    learned = trial(dataset, settings, library, model="new").judge(lambda _: None)
    publish(settings.runs_folder, learned.run, reason="better")
    server.models = server.models[:1]
    told: list[str] = []
    assert load_generator(settings, on_progress=told.append).id == "old@endpoint"
    assert "no model named new" in told[0]
    assert "that run takes no part" in told[0]


def test_a_run_takes_no_part_beside_another_model_than_it_is_to_replace(
    dataset: Path, settings: Settings, library: Library
) -> None:
    learned = trial(dataset, settings, library, model="new").judge(lambda _: None)
    publish(settings.runs_folder, learned.run, reason="better")
    other = settings.model_copy(update={"generator": settings.generator.replace("#old", "#bad")})
    served = load_generator(other)
    assert isinstance(served, RemoteGenerator)
    assert (served.id, served.base) == ("bad@endpoint", "bad@endpoint")
    with pytest.raises(ModelUnsuitableError, match="is to replace old@endpoint"):
        load_generator(other, run=learned.run)


@pytest.mark.parametrize("generator", ["none", "URL"])
def test_nothing_is_sent_where_endpoints_are_forbidden_or_none_is_named(
    home: Path, dataset: Path, library: Library, server: EndpointServer, generator: str
) -> None:
    named = generator.replace("URL", f"{server.url}/v1#old")
    settings = Settings(home=home, generator=named, endpoints="none")
    with pytest.raises(SettingsError, match=r"is no endpoint|forbids endpoints"):
        trial(dataset, settings, library, model="new")
    told = run_command(home, dataset, named, "--model", "new", "--yes", endpoints="none")
    assert told.exit_code != 0
    assert server.requests == []


def run_command(
    home: Path,
    dataset: Path,
    generator: str,
    *options: str,
    endpoints: str = "private",
    said: str = "",
) -> Result:
    environment = {
        "WHIMBREL_HOME": str(home),
        "WHIMBREL_GENERATOR": generator,
        "WHIMBREL_ENDPOINTS": endpoints,
    }
    arguments = ["train", "endpoint", str(dataset), *options]
    return CliRunner().invoke(whimbrel, arguments, env=environment, input=said)


def test_the_command_tells_the_cost_and_asks_nothing_unless_it_may(
    dataset: Path, models_home: Path, tmp_path: Path, server: EndpointServer
) -> None:
    home = tmp_path / "other"
    home.mkdir()
    (home / "models").symlink_to(models_home / "models")
    generator = f"{server.url}/v1#old"
    settings = Settings(home=home, generator=generator)
    update_index([tmp_path / "docs"], settings, load_embedder(settings))
    said = run_command(home, dataset, generator, "--model", "new", said="n\n")
    assert "new@endpoint: " in said.output
    assert " calls, about " in said.output
    assert "Ask them?" in said.output
    assert said.exit_code == 1
    assert server.asked == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 1", "a version of your own"),
        ('version = "whole-2"\nen = "x"', "a version of your own"),
        ('version = "a-1"', "wanted instructions"),
        ('version = "a-1"\nfr = "x"', "wanted instructions"),
        ('version = "a-1"\nen = " "', "wanted instructions"),
        ("version = ", "cannot be read"),
    ],
)
def test_instructions_are_refused_that_say_nothing_or_something_else(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(DataError, match=told):
        read_instructions(tmp_path / "a.toml")


def test_instructions_are_read_in_the_languages_that_they_are_in(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('version = "a-1"\nzh = """\n只说天数。\n"""\n')
    assert read_instructions(tmp_path / "a.toml") == Instructions("a-1", {"zh": "只说天数。"})
