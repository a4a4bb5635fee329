"""What an installation has: its models, its documents and the two generations of its index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval.index.account import Account
from retrieval.index.generation import Rollback
from retrieval.index.library import Library
from retrieval.index.manifest import Manifest
from retrieval.index.served_embedder import served_runs
from retrieval.records import Source
from retrieval.registry.runs import (
    Deployment,
    ModelKind,
    Run,
    all_runs,
    deployments,
    find_run,
    retirement,
    roll_back,
)
from retrieval.registry.trials import Trial, under_way
from retrieval.serving.publishing import end_trial, serve
from retrieval.serving.retriever import roll_back as roll_back_index
from retrieval.serving.retriever import take_back_retired

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """A trained model; `retired` says why it may not serve any more, if it may not."""

    run: Run
    is_serving: bool
    retired: str | None


class Installation:
    """What is answered from, for those who look after it. Threads may share one."""

    def __init__(
        self, library: Library, models: Callable[[], Mapping[str, str]] | None = None
    ) -> None:
        """Without `models` only the embedder is in use."""
        self._library = library
        self._models = models

    def models(self) -> Mapping[str, str]:
        """The ids of the models in use, by what they do."""
        return self._models() if self._models else {"embedder": self._library.embedder.id}

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """The generation that is served, and the one that `rollback` would serve.

        Raises:
            IndexNotFoundError: If nothing has been published.
            IndexCorruptError: If the manifest of what is served is not what was written.
        """
        return self._library.store.generations()

    def generation_names(self) -> tuple[str, str | None]:
        """The names of the two generations, damaged or not.

        Raises:
            IndexNotFoundError: If nothing has been published.
        """
        store = self._library.store
        return store.served(), store.kept()

    def rollback(self, *, reason: str) -> Rollback:
        """Serve the generation before, from the next question on.

        Args:
            reason: What the history of models says if another retriever made it.

        Raises:
            IndexNotFoundError: If no other generation was kept.
            IndexCorruptError: If it is not what was written.
            IndexMismatchError: If another embedder made it.
        """
        return roll_back_index(self._library.settings, self._library.embedder, reason=reason)

    def sources(self) -> list[Source]:
        """The documents that are searched now.

        Raises:
            IndexNotFoundError: If nothing has been published.
        """
        return self._library.store.sources()

    def account(self) -> Account:
        """What became of every file below the indexed folders.

        Raises:
            IndexNotFoundError: If nothing has been published.
        """
        return self._library.store.account()

    def learned(self) -> list[LearnedModel]:
        """Every model that was trained here, the oldest first."""
        home, serving = self._library.settings.runs_folder, served_runs(self._library.settings)
        return [
            LearnedModel(run, run == serving.get(run.kind), retirement(home, run))
            for run in all_runs(home)
        ]

    def deployments(self) -> list[Deployment]:
        """Every change of the trained models that serve, the oldest first."""
        return deployments(self._library.settings.runs_folder)

    def roll_back_model(self, kind: ModelKind, *, reason: str) -> Deployment:
        """Let the model of a kind, other than a retriever, serve again that served before.

        Raises:
            ModelNotFoundError: If none serves that was trained.
        """
        return roll_back(self._library.settings.runs_folder, kind, reason=reason)

    def trial(self) -> Trial | None:
        """The trial that is under way."""
        return under_way(self._library.settings.runs_folder)

    def complete_trial(self, trial: Trial, *, reason: str) -> Deployment:
        """Let a candidate serve everybody.

        Raises:
            BusyError: If the index is being built.
        """
        settings = self._library.settings
        run = find_run(settings.runs_folder, trial.run)
        return serve(settings, trial.kind, run, reason=reason)

    def end_trial(self, trial: Trial, *, reason: str) -> bool:
        """Let what served before a trial answer everything again; False if it does already.

        Raises:
            BusyError: If the index is being built.
        """
        return end_trial(self._library.settings, self._library.following(), trial, reason=reason)

    def take_back(self) -> bool:
        """Let no retired model serve from the next question on; True if one did.

        Raises:
            BusyError: If the index is being built.
        """
        return take_back_retired(self._library.settings, self._library.following())

    @property
    def embedder(self) -> Embedder:
        """What turns questions into vectors."""
        return self._library.embedder
