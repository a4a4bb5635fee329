"""The last layer of a causal model, where only a few tokens of a long text are learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def score_labels_only(model: nn.Module) -> None:
    """Let a model that TRL trains score the tokens with a label alone.

    TRL does so on GPUs. On processors it scores every token of the prompt against the whole
    vocabulary, which for a small model costs nearly as much as all its layers.
    """
    import torch
    from trl.trainer.utils import FusedCausalLMOutput

    original, parts = model.forward, cast("PreTrainedModel", model)

    def forward(*, fused_lm_head: bool = False, **inputs: Any) -> object:  # noqa: ANN401  a model's own
        if not fused_lm_head:
            return original(**inputs)
        labels, _ = inputs.pop("labels")[:, 1:], inputs.pop("num_items_in_batch", None)
        states = parts.base_model(**inputs | {"use_cache": False}).last_hidden_state[:, :-1]
        is_labelled = labels != -100
        head: nn.Module = parts.get_output_embeddings()  # type: ignore[no-untyped-call]
        scores = head(states[is_labelled]).float()
        logs = scores.log_softmax(dim=-1)
        wanted = labels[is_labelled]

        def spread(values: torch.Tensor) -> torch.Tensor:
            return values.new_zeros(is_labelled.shape).masked_scatter(is_labelled, values)

        return FusedCausalLMOutput(
            log_probs=spread(logs.gather(1, wanted[:, None])[:, 0]),
            entropy=spread(-(logs.exp() * logs).sum(dim=-1).detach()),
            mean_logits=spread(scores.mean(dim=-1).detach()),
            is_top1=spread(scores.argmax(dim=-1) == wanted),
            label_mask=is_labelled,
        )

    model.forward = forward
