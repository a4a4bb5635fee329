"""Write text with a local model: greedy, streamed, and many at once."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from collections.abc import Generator as Stream
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retrieval.errors import ModelUnsuitableError, PromptTooLongError
from retrieval.llm.adapter import merge_adapter
from retrieval.llm.chat_format import Architecture, ChatFormat, load_chat_format
from retrieval.llm.detokenizer import Detokenizer, Token
from retrieval.llm.quantised import place_of, settle
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import Device, choose_device, free_memory, use_threads
from retrieval.models.endpoint import is_endpoint
from retrieval.models.loading import hide_progress_bars
from retrieval.progress import Tell
from retrieval.records import Completion
from retrieval.registry.runs import MODEL, Run, base_of, folder_of, serving, verify
from retrieval.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.models.auto.auto_factory import _BaseAutoModelClass
    from transformers.utils.quantization_config import QuantizationConfigMixin

    from retrieval.llm.batching import Batcher
    from retrieval.llm.decoder import Decoder
    from retrieval.llm.generation_loop import GenerationLoop

LONGEST_CONTEXT = 1 << 20
"""For models, such as T5, that name no longest text."""

CACHE_SHARE = 0.4
"""Of a device's free memory: texts that join the others are there twice for a moment."""


class Generator(Protocol):
    """A model that answers messages. All methods may be called from any thread.

    `context_tokens` is the longest prompt and answer together that the model takes.
    """

    id: str
    context_tokens: int

    @property
    def parameters(self) -> int | None:
        """How many weights the model has; None where nobody says."""

    @property
    def kind(self) -> Architecture:
        """Whether one model reads and writes, or an encoder reads for a decoder."""

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes."""

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Answer the messages with the likeliest tokens; blocks until done.

        Args:
            messages: Of (role, text), such as ("user", "How many?").
            max_tokens: Longest completion.
            on_text: Gets each new piece of whole characters. An error it raises ends this call.
            should_stop: Asked after each token; true ends the completion as `stopped`.
            end: Texts that end the completion and are left out of it.

        Raises:
            PromptTooLongError: If the prompt and `max_tokens` exceed `context_tokens`.
            GeneratorError: If the model failed or was closed.
            EndpointError: If the model is behind an endpoint, and that does not answer.
        """
        ...

    def close(self) -> None:
        """Release the model; unfinished calls raise `GeneratorError`."""
        ...


class LocalGenerator:
    """A model on this machine. Calls at the same time share each pass, where the model can."""

    def __init__(
        self,
        model_id: str,
        chat_format: ChatFormat,
        loop: GenerationLoop,
        *,
        context_tokens: int,
        parameters: int,
    ) -> None:
        self.id = model_id
        self.kind = chat_format.kind
        self.context_tokens = context_tokens
        self.parameters: int = parameters
        self._chat_format = chat_format
        self._loop = loop
        # Its thread would keep the model for ever; whoever uses the generator last lets it go. And
        # Python crashes where it ends a thread in the middle of what torch computes.
        weakref.finalize(self, self._loop.close)

    @classmethod
    def of(
        cls,
        model_id: str,
        model: PreTrainedModel,
        chat_format: ChatFormat,
        make_loop: Callable[[PreTrainedModel, frozenset[int]], GenerationLoop],
    ) -> LocalGenerator:
        """A model of transformers, in the loop that is made of it and the tokens that end texts."""
        context_tokens, parameters = context_of(model), model.num_parameters()
        loop = make_loop(model, stopping_ids(model, chat_format.tokenizer))
        return cls(
            model_id, chat_format, loop, context_tokens=context_tokens, parameters=parameters
        )

    def close(self) -> None:
        """End the thread that generates; texts in progress fail."""
        self._loop.close()

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes."""
        return self._chat_format.count_tokens(text)

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Answer the messages, as `Generator.generate` says."""
        started = time.perf_counter()
        ids = self._chat_format.read(self._chat_format.render(messages))
        self._check_length(len(ids), max_tokens)
        detokenizer = Detokenizer(self._chat_format.decode, on_text, end)
        stopped = False
        tokens = self._tokens(ids, max_tokens)
        try:
            for token in tokens:
                detokenizer.add(token)
                stopped = should_stop is not None and should_stop()
                if stopped or detokenizer.has_ended:
                    break
        finally:
            tokens.close()
        detokenizer.close()
        return detokenizer.completion(len(ids), started, stopped=stopped)

    def _tokens(self, ids: list[int], max_tokens: int) -> Stream[Token]:
        from retrieval.llm.generation_loop import GenerationRequest

        request = GenerationRequest(ids, max_tokens)
        self._loop.submit(request)
        try:
            while (token := request.tokens.get()) is not None:
                if isinstance(token, Exception):
                    raise token
                yield token
        finally:
            request.is_cancelled = True

    def _check_length(self, prompt_tokens: int, max_tokens: int) -> None:
        if prompt_tokens + max_tokens > self.context_tokens or not prompt_tokens:
            raise PromptTooLongError(
                f"{prompt_tokens} prompt tokens and {max_tokens} answer tokens; "
                f"{self.id} takes 1 to {self.context_tokens} together"
            )


def load_generator(
    settings: Settings,
    *,
    run: Run | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Generator:
    """The generator that `settings.generator` names, on the device that `settings.device` names.

    Args:
        settings: Which model, and where it runs.
        run: What it has learned; None for the run that is published, if there is one. A published
            run that was learned for another model is left out.
        on_progress: Is told what takes long, and of a run that is left out.

    Raises:
        ModelNotFoundError: If there is no such model; the message says how to get it.
        ModelCorruptError: If a file of the run is not what was written.
        ModelUnsuitableError: If the given run was learned for another model.
    """
    if is_endpoint(settings.generator):
        from retrieval.llm.remote import load_remote

        return load_remote(settings, run=run, on_progress=on_progress)
    folder = resolve(
        settings.generator, models_folder=settings.models_folder, on_progress=on_progress
    )
    run = fitting_run(folder, run, settings, on_progress or (lambda _: None))
    return _local(folder, run, settings)


def load_teacher(settings: Settings, *, on_progress: Tell | None = None) -> Generator:
    """What `settings.teacher` names: a model as it comes, without anything learned here.

    Raises:
        SettingsError: If it is an address that cannot be used, or endpoints are forbidden.
        ModelNotFoundError: If there is no such model; the message says how to get it.
    """
    assert settings.teacher, "somebody named one"
    if is_endpoint(settings.teacher):
        from retrieval.llm.remote import load_remote

        return load_remote(settings, role="teacher", on_progress=on_progress)
    folder = resolve(
        settings.teacher, models_folder=settings.models_folder, on_progress=on_progress
    )
    return _local(folder, None, settings)


def _local(folder: ModelFolder, run: Run | None, settings: Settings) -> LocalGenerator:
    """The model in a folder, with what a run has learned."""
    device = choose_device(settings)
    use_threads(device)
    id_ = folder.id if run is None else f"{folder.id}+{run.id}"
    path = weights_of(folder, run, settings)
    if loaded := _plain(id_, path, adapter_of(folder, run, settings), device):
        return loaded
    model = load_learned(folder, run, settings, device)
    return LocalGenerator.of(id_, model, load_chat_format(path), partial(make_loop, device=device))


def _plain(id_: str, path: Path, adapter: Path | None, device: Device) -> LocalGenerator | None:
    """The model in a folder, with what an adapter has learned, without transformers.

    None where it is not computed in bytes, or its files are not as plain as that takes.
    """
    from retrieval.llm.cpu import int8_linear, plain_model
    from retrieval.llm.cpu.int8_decoder import Int8Decoder
    from retrieval.llm.plain_tokenizer import PlainTokenizer

    if device.name != "cpu" or not int8_linear.is_supported() or not plain_model.fits(path):
        return None
    if (tokenizer := PlainTokenizer.of(path)) is None:
        return None
    model = plain_model.PlainModel(path)
    if adapter is not None:
        merge_adapter(model, adapter)
    stop_ids = ending(model.eos_token_id, tokenizer.eos_token_id)
    return LocalGenerator(
        id_,
        ChatFormat(tokenizer, "causal"),
        _batched(Int8Decoder(model, device.dtype), stop_ids, device),
        context_tokens=model.context_tokens,
        parameters=model.parameters_count,
    )


def fitting_run(
    folder: ModelFolder, run: Run | None, settings: Settings, say: Callable[[str], None]
) -> Run | None:
    """The run that is given or published, checked, if it was learned for this very model.

    Raises:
        ModelUnsuitableError: If the given run was learned for another one.
        ModelCorruptError: If a file of the run is not what was written.
    """
    chosen = run or serving(settings.runs_folder, "generator")
    if chosen is None:
        return None
    # What was compressed may have learned before: its base is `folder.id+run`.
    is_whole = (folder_of(settings.runs_folder, chosen) / MODEL).is_dir()
    if (base_of(chosen.facts.base) if is_whole else chosen.facts.base) == folder.id:
        verify(settings.runs_folder, chosen)
        return chosen
    told = f"run {chosen.id} was learned for {chosen.facts.base}, not for {folder.id}"
    if run is not None:
        raise ModelUnsuitableError(told)
    say(f"{told}; it takes no part")
    return None


def weights_of(folder: ModelFolder, run: Run | None, settings: Settings) -> Path:
    """The folder of the model that a run holds, if it holds a whole one; else that of its base."""
    whole = None if run is None else folder_of(settings.runs_folder, run) / MODEL
    return whole if whole and whole.is_dir() else folder.path


def adapter_of(folder: ModelFolder, run: Run | None, settings: Settings) -> Path | None:
    """The folder of what a run adds to the weights of its base, if it holds no whole model."""
    if run is None or weights_of(folder, run, settings) != folder.path:
        return None
    return folder_of(settings.runs_folder, run)


def load_learned(
    folder: ModelFolder, run: Run | None, settings: Settings, device: Device
) -> PreTrainedModel:
    """The model in a folder with what a run has learned, ready to generate on the device.

    Raises:
        ModelCorruptError: If the run's adapter does not fit the model.
    """
    path = weights_of(folder, run, settings)
    model = load_model(path, device, load_chat_format(path).kind)
    if (adapter := adapter_of(folder, run, settings)) is not None:
        merge_adapter(model, adapter)
    return model


def load_model(
    path: Path,
    device: Device,
    kind: Architecture,
    *,
    quantisation: QuantizationConfigMixin | None = None,
) -> PreTrainedModel:
    """The model in a folder, ready to generate on the device; quantised, if it is told how."""
    import torch

    hide_progress_bars()
    options = place_of(path, device.name, quantisation)
    model: PreTrainedModel = _loader(path, kind).from_pretrained(
        path, dtype=device.dtype, **options
    )
    model.requires_grad_(requires_grad=False)
    if options:
        settle(model, device.dtype)
    torch.nn.Module.to(model, device.name)
    model.train(mode=False)
    return model


def _loader(path: Path, kind: Architecture) -> type[_BaseAutoModelClass]:
    """The class of transformers that knows the model; some that also see are known by that only."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForMultimodalLM,
        AutoModelForSeq2SeqLM,
    )

    if kind == "seq2seq":
        return AutoModelForSeq2SeqLM
    writes = type(AutoConfig.from_pretrained(path)) in MODEL_FOR_CAUSAL_LM_MAPPING
    return AutoModelForCausalLM if writes else AutoModelForMultimodalLM


def make_loop(
    model: PreTrainedModel, stop_ids: frozenset[int], *, device: Device
) -> GenerationLoop:
    """The model's thread. On processors that can, the model is first turned into bytes."""
    from retrieval.llm.cpu import int8_linear
    from retrieval.llm.cpu.int8_decoder import Int8Decoder, fits
    from retrieval.llm.model_decoder import ModelDecoder, is_batchable
    from retrieval.llm.one_by_one import OneByOne

    if not is_batchable(model):
        return OneByOne(model, stop_ids=stop_ids)
    is_for_bytes = device.name == "cpu" and int8_linear.is_supported() and fits(model.config)
    decoder = (Int8Decoder if is_for_bytes else ModelDecoder)(model, device.dtype)
    return _batched(decoder, stop_ids, device)


def _batched(decoder: Decoder, stop_ids: frozenset[int], device: Device) -> Batcher:
    from retrieval.llm.batching import Batcher
    from retrieval.llm.decoder import cache_tokens

    free = free_memory(device)
    return Batcher(
        decoder,
        stop_ids=stop_ids,
        max_cache_tokens=None if free is None else cache_tokens(decoder, int(free * CACHE_SHARE)),
        prefill_threads=device.threads if device.name == "cpu" else 1,
    )


def context_of(model: PreTrainedModel) -> int:
    """The longest text that a model takes."""
    longest = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return longest or LONGEST_CONTEXT


def stopping_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens after which nothing follows: the model's and the chat template's."""
    named = model.generation_config.eos_token_id if model.generation_config else None
    return ending(named, tokenizer.eos_token_id)


def ending(named: int | list[int] | None, eos_token_id: int | None) -> frozenset[int]:
    """The tokens that a model names for an end; the tokenizer's own, too, unless there are more."""
    ids = named if isinstance(named, list) else [named, eos_token_id]
    return frozenset(id_ for id_ in ids if id_ is not None)
