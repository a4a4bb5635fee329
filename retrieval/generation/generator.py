"""Write text with a local model: greedy, streamed, and many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Generator as Stream
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from retrieval.errors import GeneratorError, PromptTooLongError
from retrieval.generation.writing import Token, Writing
from retrieval.models.catalogue import resolve
from retrieval.models.device import Device, choose_device, use_threads
from retrieval.records import Completion
from retrieval.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from retrieval.generation.batching import Batcher

LONGEST_CONTEXT = 1 << 20
"""For models, such as T5, that name no longest text."""


class Generator(Protocol):
    """A model that continues a prompt. All methods may be called from any thread.

    `context_tokens` is the longest prompt and answer together that the model takes.
    """

    id: str
    context_tokens: int
    parameters: int

    @property
    def kind(self) -> Literal["causal", "seq2seq"]: ...

    def count_tokens(self, text: str) -> int: ...

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt of (role, text) messages, in the model's own chat format if it has one."""
        ...

    def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Continue the prompt with the likeliest tokens; blocks until done.

        Args:
            prompt: What `render` gave.
            max_tokens: Longest completion.
            on_text: Gets each new piece of whole characters. An error it raises ends this call.
            should_stop: Asked after each token; true ends the completion as `stopped`.
            end: Texts that end the completion and are left out of it.

        Raises:
            PromptTooLongError: If the prompt and `max_tokens` exceed `context_tokens`.
            GeneratorError: If the model failed or was closed.
        """
        ...

    def close(self) -> None:
        """Release the model; unfinished calls raise `GeneratorError`."""
        ...


class TextGenerator:
    """What causal and seq2seq generators share: counting, rendering and streaming."""

    def __init__(
        self, model_id: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.id = model_id
        self.context_tokens: int = getattr(model.config, "max_position_embeddings", LONGEST_CONTEXT)
        self.parameters = model.num_parameters()
        self._tokenizer = tokenizer
        self._count_lock = threading.Lock()

    def count_tokens(self, text: str) -> int:
        return len(self._encode(text, has_special=False))

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt of (role, text) messages, in the model's own chat format if it has one."""
        if self._tokenizer.chat_template is None:
            return "\n\n".join([*(f"{role}: {text}" for role, text in messages), "assistant:"])
        chat = [{"role": role, "content": text} for role, text in messages]
        return str(
            self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        )

    def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Continue the prompt, as `Generator.generate` says."""
        started = time.perf_counter()
        ids = self._encode(prompt, has_special=self._tokenizer.chat_template is None)
        self._check_length(len(ids), max_tokens)
        writing = Writing(self._decode, on_text, end)
        stopped = False
        tokens = self._tokens(ids, max_tokens)
        try:
            for token in tokens:
                writing.add(token)
                stopped = should_stop is not None and should_stop()
                if stopped or writing.has_ended:
                    break
        finally:
            tokens.close()
        writing.close()
        return writing.completion(len(ids), started, stopped=stopped)

    def _tokens(self, ids: list[int], max_tokens: int) -> Stream[Token]:
        raise NotImplementedError

    def _encode(self, text: str, *, has_special: bool) -> list[int]:
        # Rust tokenizers refuse to be borrowed twice when a call changes their settings.
        with self._count_lock:
            return list(self._tokenizer.encode(text, add_special_tokens=has_special))

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _check_length(self, prompt_tokens: int, max_tokens: int) -> None:
        if prompt_tokens + max_tokens > self.context_tokens or not prompt_tokens:
            raise PromptTooLongError(
                f"{prompt_tokens} prompt tokens and {max_tokens} answer tokens; "
                f"{self.id} takes 1 to {self.context_tokens} together"
            )


class CausalGenerator(TextGenerator):
    """A decoder-only model. Calls at the same time share each pass through the model."""

    kind: Literal["causal"] = "causal"

    def __init__(
        self,
        model_id: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        device: Device,
    ) -> None:
        super().__init__(model_id, model, tokenizer)
        self._batcher = make_batcher(model, device, stopping_ids(model, tokenizer))

    def close(self) -> None:
        self._batcher.close()

    def _tokens(self, ids: list[int], max_tokens: int) -> Stream[Token]:
        from retrieval.generation.batching import Request

        request = Request(ids, max_tokens)
        self._batcher.submit(request)
        try:
            while (token := request.tokens.get()) is not None:
                if isinstance(token, Exception):
                    raise token
                yield token
        finally:
            request.is_cancelled = True


class Seq2SeqGenerator(TextGenerator):
    """An encoder-decoder model; answers one call after the other."""

    kind: Literal["seq2seq"] = "seq2seq"

    def __init__(
        self, model_id: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        super().__init__(model_id, model, tokenizer)
        self._model: PreTrainedModel | None = model
        self._lock = threading.Lock()

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The messages' texts: these models know no roles."""
        return "\n\n".join(text for _, text in messages)

    def close(self) -> None:
        self._model = None

    def _tokens(self, ids: list[int], max_tokens: int) -> Stream[Token]:
        from retrieval.generation.seq2seq import written

        if self._model is None:
            raise GeneratorError("the generator is closed")
        with self._lock:
            yield from written(self._model, ids, max_tokens)


def load_generator(
    settings: Settings, *, on_progress: Callable[[str], None] | None = None
) -> Generator:
    """The generator that `settings.generator` names, on the device that `settings.device` names.

    Raises:
        ModelNotFoundError: If there is no such model; the message says how to get it.
        GeneratorError: If the model keeps something other than keys and values of each token.
    """
    from transformers import AutoConfig, AutoTokenizer

    folder = resolve(
        settings.generator, models_folder=settings.models_folder, on_progress=on_progress
    )
    device = choose_device(settings)
    use_threads(device)
    tokenizer = AutoTokenizer.from_pretrained(folder.path)
    if AutoConfig.from_pretrained(folder.path).is_encoder_decoder:
        return Seq2SeqGenerator(folder.id, load_model(folder.path, device, "seq2seq"), tokenizer)
    model = load_model(folder.path, device, "causal")
    check_batchable(folder.id, model)
    return CausalGenerator(folder.id, model, tokenizer, device)


def load_model(path: Path, device: Device, kind: Literal["causal", "seq2seq"]) -> PreTrainedModel:
    """The model in a folder, ready to generate on the device."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    loader = AutoModelForCausalLM if kind == "causal" else AutoModelForSeq2SeqLM
    model: PreTrainedModel = loader.from_pretrained(path, dtype=device.dtype)
    model.requires_grad_(requires_grad=False)
    torch.nn.Module.to(model, device.name)
    model.train(mode=False)
    return model


def check_batchable(model_id: str, model: PreTrainedModel) -> None:
    """Refuse models with linear attention, convolutions or other states that padding would enter.

    Raises:
        GeneratorError: If the model is one.
    """
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    is_stateful = getattr(model, "_is_stateful", False)  # transformers has no public name for it
    if is_stateful or not layers <= {"full_attention", "sliding_attention"}:
        raise GeneratorError(
            f"{model_id} is a {config.model_type} model with layers {', '.join(sorted(layers))}; "
            "wanted one whose every layer attends to keys and values"
        )


def make_batcher(model: PreTrainedModel, device: Device, stop_ids: frozenset[int]) -> Batcher:
    """The model's thread. On processors that can, the model is first turned into bytes."""
    from retrieval.generation import int8_linear
    from retrieval.generation.batching import Batcher
    from retrieval.generation.decoder import ModelDecoder
    from retrieval.generation.int8_decoder import Int8Decoder, fits

    is_for_bytes = device.name == "cpu" and int8_linear.is_supported() and fits(model.config)
    decoder = (Int8Decoder if is_for_bytes else ModelDecoder)(model, device.dtype)
    readers = device.threads if device.name == "cpu" else 1
    return Batcher(decoder, stop_ids=stop_ids, readers=readers)


def stopping_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens after which nothing follows: the model's and the chat template's."""
    named = model.generation_config.eos_token_id if model.generation_config else None
    ids = named if isinstance(named, list) else [named, tokenizer.eos_token_id]
    return frozenset(id_ for id_ in ids if id_ is not None)
