"""Another model of the endpoint, or other instructions: what that costs, and what the gate says."""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from retrieval.answering.answerer import Answerer
from retrieval.answering.prompt import PROMPT_VERSION, WHOLE_PROMPT_VERSION
from retrieval.answering.tiers import Tier, tier_of
from retrieval.errors import DataError, EndpointError, SettingsError
from retrieval.index.library import Library
from retrieval.llm.endpoint_run import EndpointRun, write_endpoint_run
from retrieval.llm.remote import RemoteGenerator, load_remote
from retrieval.models.endpoint import endpoint_of, is_endpoint
from retrieval.progress import Tell
from retrieval.records import Completion, Instructions
from retrieval.registry.runs import Facts, base_of, folder_of, write_run
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from training.cost import Cost
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import QuestionOutcome, decide
from training.generator.trial import EvaluationSet, read_evaluation_set, try_answerer

OWN_VERSIONS = frozenset({PROMPT_VERSION, WHOLE_PROMPT_VERSION})

_VERSION = re.compile(r"[\w.-]{1,40}")
_LANGUAGES = ("en", "zh")


class CountedGenerator:
    """An endpoint's model whose calls are counted. Where it is not asked, all of them are long."""

    kind = RemoteGenerator.kind

    def __init__(self, generator: RemoteGenerator, *, is_asked: bool) -> None:
        self.id, self.context_tokens = generator.id, generator.context_tokens
        self.parameters, self.instructions = generator.parameters, generator.instructions
        self.count_tokens, self.close = generator.count_tokens, generator.close
        self.cost = Cost()
        self.failures: list[EndpointError] = []
        self._generator, self._is_asked = generator, is_asked
        self._lock = threading.Lock()

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """As `Generator.generate`; nothing where it is not asked."""
        if not self._is_asked:
            read = sum(self.count_tokens(text) for _, text in messages)
            self._count(read, max_tokens, 0.0)
            return Completion("", 0, read, 0.0, 0.0)
        try:
            done = self._generator.generate(
                messages,
                max_tokens=max_tokens,
                on_text=on_text,
                should_stop=should_stop,
                end=end,
            )
        except EndpointError as error:
            self.failures.append(error)
            raise
        self._count(done.prompt_tokens, done.tokens, done.total_s)
        return done

    def _count(self, read: int, written: int, seconds: float) -> None:
        with self._lock:
            cost = self.cost
            self.cost = Cost(
                cost.calls + 1,
                cost.tokens_read + read,
                cost.tokens_written + written,
                round(cost.seconds + seconds, 3),
            )


@dataclass(frozen=True)
class EndpointTrial:
    """What serves and a candidate for its place, both behind the endpoint; neither asked yet.

    `answerer` has all that answers besides them.
    """

    dataset: Path
    settings: Settings
    answerer: Answerer
    evaluation_set: EvaluationSet
    candidate: EndpointRun
    served_generator: RemoteGenerator
    generator: RemoteGenerator

    def costs(self) -> dict[str, Cost]:
        """What it will cost at most to try either, by their ids."""
        tiers: dict[Tier, Cost] = {}
        found = {}
        for generator in (self.generator, self.served_generator):
            tier = tier_of(generator, self.settings)
            if tier not in tiers:
                counted = CountedGenerator(generator, is_asked=False)
                try_answerer(replace(self.answerer, generator=counted), self.evaluation_set)
                tiers[tier] = counted.cost
            found[generator.id] = tiers[tier]
        return found

    def judge(self, on_progress: Tell) -> LearnedRun:
        """Try both on the same questions, and keep the candidate as a run with what the gate says.

        Raises:
            EndpointError: If the endpoint did not answer all of them; then nothing is judged.
        """
        served, _ = self._asked(self.served_generator, on_progress)
        outcomes, cost = self._asked(self.generator, on_progress)
        (decision,) = decide(served, [outcomes], outdated=self.evaluation_set.outdated)
        instructions = self.candidate.instructions
        facts = Facts(
            base=self.generator.base,
            dataset=self.dataset.name,
            seed=0,
            code=version("whimbrel"),
            config={
                "model": self.candidate.model,
                "prompt": instructions.version if instructions else "ours",
                "beside": self.served_generator.id,
            },
            metrics=asdict(cost),
        )
        fill = partial(write_endpoint_run, named=self.candidate)
        run = write_run(self.settings.runs_folder, "generator", facts, fill)
        folder = folder_of(self.settings.runs_folder, run)
        report.save(folder, decision, title=f"generator {run.id}: {self.generator.id}")
        return LearnedRun(run, decision)

    def _asked(
        self, generator: RemoteGenerator, on_progress: Tell
    ) -> tuple[list[QuestionOutcome], Cost]:
        counted = CountedGenerator(generator, is_asked=True)
        on_progress(f"asking {generator.id}")
        outcomes = try_answerer(replace(self.answerer, generator=counted), self.evaluation_set)
        if counted.failures:
            raise EndpointError(
                f"{generator.id} failed {len(counted.failures)} times, so that nothing is judged: "
                f"{counted.failures[-1]}"
            )
        cost = counted.cost
        # Told and not judged: how long an endpoint takes depends on who else asks it.
        on_progress(f"{generator.id}: {cost.seconds / max(1, cost.calls):.2f} seconds a call")
        return outcomes, cost


def check_allowed(settings: Settings) -> None:
    """Look whether the generator is behind an endpoint that may be asked; nothing is sent.

    Raises:
        SettingsError: If it is not, or endpoints are forbidden.
    """
    if not is_endpoint(settings.generator):
        raise SettingsError(
            f"WHIMBREL_GENERATOR is {settings.generator}, which is no endpoint: it has no other "
            "models to be asked"
        )
    endpoint_of("generator", settings)


def prepare(
    dataset: Path,
    settings: Settings,
    library: Library,
    *,
    model: str | None = None,
    instructions: Instructions | None = None,
    on_progress: Tell,
) -> EndpointTrial:
    """What it takes to judge a model of the endpoint, or instructions, beside what serves.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the endpoint is.
        library: What answers are made from.
        model: The model's name at the endpoint; None for the one that serves.
        instructions: What it is told; None for our own words.
        on_progress: Is told of what the endpoint does not have.

    Raises:
        SettingsError: If the generator is not behind an endpoint, or endpoints are forbidden.
        DataError: If the data set holds no question with an expert's answer out, or the candidate
            serves already.
        ModelUnsuitableError: If the endpoint has no such model.
    """
    check_allowed(settings)
    served = load_remote(settings, on_progress=on_progress)
    serving = base_of(served.id).removesuffix("@endpoint")
    candidate = EndpointRun(model or serving, instructions)
    if candidate == EndpointRun(serving, served.instructions):
        raise DataError(f"{served.id} serves already: name another --model, or a --prompt")
    generator = load_remote(settings, candidate=candidate, on_progress=on_progress)
    searcher = library.searcher()
    judge = InstalledModels(settings).judge(searcher.embedder)
    evaluation_set = read_evaluation_set(dataset, settings, searcher)
    answerer = Answerer(searcher, judge, settings)
    return EndpointTrial(dataset, settings, answerer, evaluation_set, candidate, served, generator)


def read_instructions(path: Path) -> Instructions:
    """The instructions in a file of TOML: their `version`, and the words in `en`, `zh` or both.

    Raises:
        DataError: If it holds anything else.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    name = found.pop("version", None)
    if not isinstance(name, str) or not _VERSION.fullmatch(name) or name in OWN_VERSIONS:
        raise DataError(f'{path}: wanted a version of your own, such as version = "ours-1"')
    is_text = all(isinstance(text, str) and text.strip() for text in found.values())
    if not found or not set(found) <= set(_LANGUAGES) or not is_text:
        raise DataError(f"{path}: wanted instructions as en = or zh =, and nothing besides")
    return Instructions(name, {key: text.strip() for key, text in found.items()})
