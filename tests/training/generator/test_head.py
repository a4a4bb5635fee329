from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from retrieval.llm.generator import load_model
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import save_causal
from training.generator.head import score_labels_only

CPU = Device("cpu", torch.float32, 1)


def test_scoring_the_labels_alone_gives_the_same_loss_and_gradient(tmp_path: Path) -> None:
    causal = save_causal(tmp_path)
    ids = torch.arange(1, 13)[None]
    labels = ids.clone()
    labels[:, :8] = -100

    def loss_and_gradient(model: PreTrainedModel, **how: bool) -> tuple[torch.Tensor, torch.Tensor]:
        weight = model.get_parameter("model.layers.1.mlp.down_proj.weight").requires_grad_()
        output = model(input_ids=ids, labels=labels, **how)
        loss = -output.log_probs.sum() / 4 if how else output.loss
        loss.backward()
        assert weight.grad is not None
        return loss.detach(), weight.grad

    short = load_model(causal, CPU, "causal")
    score_labels_only(short)
    expected = loss_and_gradient(load_model(causal, CPU, "causal"))
    found = loss_and_gradient(short, fused_lm_head=True)
    assert torch.allclose(expected[0], found[0], atol=1e-5)
    assert torch.allclose(expected[1], found[1], atol=1e-5)
