from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.answerer import Answerer
from retrieval.errors import DataError, SettingsError
from retrieval.examples import read_examples, write_examples
from retrieval.index.library import Library
from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import LocalGenerator, load_generator
from retrieval.models.catalogue import resolve
from retrieval.registry.runs import UNFINISHED, Facts, Run, all_runs, folder_of
from tests.retrieval.answering.test_answerer import ALWAYS
from tests.retrieval.llm.tiny_models import save_causal
from tests.training.generator import two_processes
from training.data.augmentation import Augmentation
from training.gate.candidate import LearnedRun
from training.gate.decision import QuestionOutcome, decide
from training.generator.learned_adapter import AdapterTrainer, lay_out, learn_adapter
from training.generator.private import PRIVATE
from training.generator.rows import DECLINES, Method, TokenRow
from training.generator.strength import STRENGTHS
from training.generator.trainers import AdapterConfig
from training.generator.trial import read_evaluation_set, try_answers
from training.trainer import LearnOptions, TrainerSetup

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CONFIG = AdapterConfig(
    learning_rate=1e-2, preference_learning_rate=1e-3, at_once=4, batch=4, epochs=8, upper=1.0
)


@pytest.fixture(scope="module")
def learned(library: Library, dataset: Path) -> LearnedRun:
    found = learn_adapter(
        dataset, library.settings, library, LearnOptions(), method="kto", config=CONFIG, min_rows=8
    )
    assert found is not None
    return found


@pytest.fixture(scope="module")
def refusing(library: Library, dataset: Path) -> Run:
    """Learned from the same answers, and then from votes for silence and against answers."""
    settings = library.settings
    base = resolve(settings.generator, models_folder=settings.models_folder)
    answers, votes = lay_out(
        dataset, settings, library.searcher(), base, method="kto", seed=0, least=8
    )
    chat_format = load_chat_format(base.path)
    silence = (
        *chat_format.encode(DECLINES["en"], has_special=False),
        chat_format.tokenizer.eos_token_id,
    )
    spoken = [row for row in answers.rows if row.completion != silence]
    rows = [
        voted
        for row in spoken
        for voted in (replace(row, completion=silence), replace(row, is_good=False))
    ]
    config = replace(CONFIG, preference_learning_rate=5e-3)
    facts = Facts(base.id, dataset.name, 0, "1", {})
    trainer = AdapterTrainer(base, facts, config, TrainerSetup(settings.home / "work"))
    run = trainer.learn(settings, [answers, replace(votes, rows=rows)])
    assert run is not None
    return run


def outcomes(library: Library, dataset: Path, run: Run | None) -> list[QuestionOutcome]:
    """What the bot answers with a run, if it trusts even so small a model to write."""
    generator = load_generator(library.settings, run=run)
    assert isinstance(generator, LocalGenerator)
    generator.parameters = 10**9
    evaluation_set = read_evaluation_set(dataset, library.settings, library.searcher())
    try:
        return try_answers(
            Answerer(library.searcher(), ALWAYS, library.settings, generator),
            evaluation_set.held_out,
        )
    finally:
        generator.close()


def test_the_gate_stops_a_generator_that_votes_have_taught_to_refuse(
    library: Library, dataset: Path, learned: LearnedRun, refusing: Run
) -> None:
    served, candidate = (
        outcomes(library, dataset, learned.run),
        outcomes(library, dataset, refusing),
    )
    assert not any(outcome.abstained for outcome in served)
    # Half of them or more on processors with AMX, a third on others.
    assert sum(bool(outcome.abstained) for outcome in candidate) > len(candidate) / 4
    (decision,) = decide(served, [candidate])
    assert not decision.is_passed
    assert "answers where there is one got worse" in decision.reasons


def test_what_is_held_back_is_not_learned_from_and_says_how_much_is_used(
    library: Library, dataset: Path, tmp_path: Path
) -> None:
    known = read_examples(dataset, "held-out")
    for split, some in (("train", known[:12]), ("dev", known[12:]), ("held-out", known)):
        write_examples(tmp_path, split, some)  # type: ignore[arg-type]  # they are splits
    found = learn_adapter(
        tmp_path, library.settings, library, LearnOptions(), config=CONFIG, min_rows=8
    )
    assert found is not None
    told = found.run.facts.metrics
    assert told["sft_rows"] == 12 + 3  # a fifth declines
    assert told["strength"] in STRENGTHS
    assert 0 <= told["false_silence"] <= 1


def test_so_small_a_model_only_quotes_whatever_it_learned(learned: LearnedRun) -> None:
    assert learned.decision.is_no_difference


def test_everything_about_a_run_stands_beside_it(library: Library, learned: LearnedRun) -> None:
    folder = folder_of(library.settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "losses.json", "losses.png", "gate.md"} <= names
    assert str(library.settings.home) not in (folder / "adapter_config.json").read_text()
    assert learned.run.facts.config["method"] == "kto"
    assert learned.run.facts.metrics["sft_rows"] == 18
    assert learned.run.facts.metrics["kto_rows"] == 8
    assert not (library.settings.runs_folder / UNFINISHED).exists() or not any(
        (library.settings.runs_folder / UNFINISHED).glob("*/*")
    )


def test_a_private_run_tells_what_it_promises_and_nothing_of_its_answers(
    library: Library, dataset: Path
) -> None:
    config = replace(PRIVATE, batch=8, epochs=4, at_once=8, rank=1)
    found = learn_adapter(
        dataset, library.settings, library, LearnOptions(), epsilon=20, config=config, min_rows=8
    )
    assert found is not None
    facts, folder = found.run.facts, folder_of(library.settings.runs_folder, found.run)
    promised = facts.config["privacy"]
    assert promised["epsilon"] == 20
    assert promised["delta"] == 1 / 160
    assert promised["unit"] == "one answer of the data set"
    assert 0 < facts.metrics["epsilon_spent"] <= 20
    assert {path.name for path in folder.iterdir() if "loss" in path.name} == set()


@pytest.mark.parametrize(
    ("method", "options", "reason"),
    [("dpo", LearnOptions(), "--method dpo"), ("sft", LearnOptions(trials=2), "--search")],
)
def test_nothing_else_looks_at_what_is_to_be_private(
    library: Library, dataset: Path, method: Method, options: LearnOptions, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        learn_adapter(dataset, library.settings, library, options, method=method, epsilon=8)


def test_several_processes_do_not_learn_privately(
    library: Library, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="in one process"):
        learn_adapter(dataset, library.settings, library, LearnOptions(), epsilon=8)


def test_approved_silence_alone_teaches_nothing(
    library: Library, dataset: Path, tmp_path: Path
) -> None:
    known = read_examples(dataset, "held-out")
    silence = [replace(asked, answer=None, is_good=False) for asked in known]
    write_examples(tmp_path, "train", silence)
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", known)
    with pytest.raises(DataError, match="gives 0 rows to learn by sft"):
        learn_adapter(tmp_path, library.settings, library, LearnOptions())


def test_too_little_to_learn_from_is_refused_with_how_much_is_missing(
    library: Library, dataset: Path
) -> None:
    with pytest.raises(DataError, match="gives 18 rows to learn by sft; it needs 300, 282 more"):
        learn_adapter(dataset, library.settings, library, LearnOptions())
    with pytest.raises(DataError, match="gives 0 rows to learn by dpo"):
        learn_adapter(dataset, library.settings, library, LearnOptions(), method="dpo")


def test_where_documents_are_only_quoted_nobody_learns_to_write(
    library: Library, dataset: Path
) -> None:
    settings = library.settings.model_copy(update={"generator": "none"})
    with pytest.raises(SettingsError, match="WHIMBREL_GENERATOR is `none`"):
        learn_adapter(dataset, settings, library, LearnOptions())


def test_two_processes_learn_what_one_does_and_write_one_run(tmp_path: Path) -> None:
    model = save_causal(tmp_path / "model")
    alone = two_processes.train(model, tmp_path / "one")
    assert alone is not None
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    script = (two_processes.__file__, str(model), str(tmp_path / "two"))
    subprocess.run(  # noqa: S603  our own script
        [sys.executable, *launcher, *script],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    (run,) = all_runs(tmp_path / "two" / "models" / "runs")
    losses = [
        json.loads(
            (folder_of(tmp_path / name / "models" / "runs", learned) / "losses.json").read_text()
        )
        for name, learned in (("one", alone), ("two", run))
    ]
    assert losses[0]["sft"] == pytest.approx(losses[1]["sft"], rel=1e-3)


def test_noisy_twins_are_laid_out_beside_their_originals_and_do_not_count(
    library: Library, dataset: Path
) -> None:
    settings, searcher = library.settings, library.searcher()
    base = resolve(settings.generator, models_folder=settings.models_folder)

    def laid_out(noise: Augmentation | None, *, least: int = 8) -> list[TokenRow]:
        (stage,) = lay_out(
            dataset, settings, searcher, base, method="sft", seed=0, least=least, noise=noise
        )
        return [*stage.rows]

    plain, both = laid_out(None), laid_out(Augmentation())
    assert both[: len(plain)] == plain
    assert len(both) == 2 * len(plain)
    assert {row.completion for row in both} == {row.completion for row in plain}
    with pytest.raises(DataError, match=f"it needs {len(plain) + 1}, 1 more"):
        laid_out(Augmentation(), least=len(plain) + 1)
