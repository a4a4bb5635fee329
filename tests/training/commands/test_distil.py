from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.export.ratings import import_ratings
from bot.store.database import Database
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.bot.export.test_rating_folder import folder_of
from tests.bot.export.test_ratings import questions
from tests.endpoint_server import EndpointServer
from tests.retrieval.llm.tiny_models import save_causal
from tests.training.distillation import lamps
from training.commands.distil import distil


def run(home: Path, *arguments: str, given: str = "", **environment: str) -> Result:
    models = {"WHIMBREL_EMBEDDER": "all-minilm-l6-v2", "WHIMBREL_GENERATOR": "none"}
    settings = {"WHIMBREL_HOME": str(home), "WHIMBREL_AUDIENCES": lamps.AUDIENCES}
    return CliRunner().invoke(distil, arguments, env=models | settings | environment, input=given)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    model = Embedder.load(Settings(embedder="all-minilm-l6-v2"))
    lamps.library(home, model, embedder="all-minilm-l6-v2")
    return home


@pytest.mark.slow
def test_the_teacher_is_asked_nothing_until_somebody_agrees(home: Path) -> None:
    with EndpointServer() as server:
        server.write = lamps.teach
        asked = ("--teacher", f"{server.url}/v1#tiny", "--no-train", "--questions", "4")
        result = run(home, *asked, "--price", "1000", "2000", given="n\n")
        assert result.exit_code == 1
        place = server.url.removeprefix("http://")
        assert f"tiny@endpoint at {place} is going to be asked 4 questions" in result.output
        assert "about 8 of 10 passages" in result.output
        assert "8 calls at most" in result.output
        assert "written at most, for " in result.output
        assert "lamp of the" not in str(server.requests)
        result = run(home, *asked, given="y\n")
        assert result.exit_code == 0, result.output
        assert "4 of 4 questions were kept" in result.output
        again = run(home, *asked)
        assert "has answered all 4 questions before" in again.output
        assert len(server.asked) == 8 + 2


@pytest.mark.slow
def test_a_teacher_that_has_taught_nothing_is_no_success(home: Path) -> None:
    with EndpointServer() as server:
        server.write = lambda _: "I would rather not."
        asked = ("--teacher", f"{server.url}/v1#silent", "--no-train", "--yes", "--questions", "2")
        result = run(home, *asked)
    assert "0 of 2 questions were kept" in result.output
    assert "silent@endpoint has taught nothing" in str(result.exception)


@pytest.mark.slow
def test_where_endpoints_are_forbidden_nothing_is_sent(home: Path) -> None:
    with EndpointServer() as server:
        asked = ("--teacher", f"{server.url}/v1#tiny", "--no-train", "--yes")
        result = run(home, *asked, WHIMBREL_ENDPOINTS="none")
        assert "WHIMBREL_ENDPOINTS=none forbids endpoints" in str(result.exception)
        assert server.requests == []


@pytest.mark.slow
def test_the_key_of_the_generator_is_not_shown_to_the_teacher(home: Path) -> None:
    with EndpointServer() as server:
        server.write = lamps.teach
        asked = ("--teacher", f"{server.url}/v1#tiny", "--no-train", "--yes", "--questions", "1")
        keys = {"WHIMBREL_GENERATOR_KEY": "sesame-4417", "WHIMBREL_TEACHER_KEY": "barley-9"}
        assert run(home, *asked, **keys).exit_code == 0
        assert "sesame-4417" not in str(server.requests)
        assert "Bearer barley-9" in str(server.requests)


@pytest.mark.slow
def test_what_was_taught_is_exported_and_handed_to_the_learner(tmp_path: Path) -> None:
    model = Embedder.load(Settings(embedder="all-minilm-l6-v2"))
    lamps.library(tmp_path, model, embedder="all-minilm-l6-v2")
    text = "The lamp of the northpier is painted every 11 days."
    shown = {"passage": {"title": "Northpier", "text": text}, "ratings": [1], "split": "test"}
    approved = shown | {"correction": {"text": text, "is_expert": True}}
    rows = [approved | {"question": question} for question in questions(2)]
    (tmp_path / "rated").mkdir()
    with closing(Database(tmp_path / "whimbrel.db")) as database:
        import_ratings(folder_of(tmp_path / "rated", *rows), database, is_consented=True)
    pupil = str(save_causal(tmp_path / "pupil"))
    with EndpointServer() as server:
        server.write = lamps.teach
        asked = ("--teacher", f"{server.url}/v1#tiny", "--yes", "--questions", "8")
        result = run(tmp_path, *asked, WHIMBREL_GENERATOR=pupil)
    assert "2 questions are held out" in result.output
    assert "8 of 8 questions were kept" in result.output
    # The log teaches nothing else, so that all that the learner got is from the teacher.
    assert "to learn by sft; it needs 300" in str(result.exception)


@pytest.mark.slow
def test_nothing_is_paid_for_that_could_not_be_judged(home: Path, tmp_path: Path) -> None:
    pupil = str(save_causal(tmp_path / "pupil"))
    with EndpointServer() as server:
        asked = ("--teacher", f"{server.url}/v1#tiny", "--yes")
        result = run(home, *asked, WHIMBREL_GENERATOR=pupil)
        assert "holds no answers of experts out" in str(result.exception)
        assert "with --no-train only the rows are made" in str(result.exception)
        assert server.requests == []


def test_a_teacher_must_be_named_and_a_pupil_be_able_to_learn(tmp_path: Path) -> None:
    assert "WHIMBREL_TEACHER" in run(tmp_path).output
    told = str(run(tmp_path, "--teacher", "http://localhost:1/v1#x", "--yes").exception)
    assert "WHIMBREL_GENERATOR is none" in told
