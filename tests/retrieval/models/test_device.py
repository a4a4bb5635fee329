from pathlib import Path

import pytest
import torch

from retrieval.errors import SettingsError
from retrieval.models.device import (
    choose_device,
    has_fast_bfloat16,
    physical_cores,
    reads_fast_in_bfloat16,
)
from retrieval.settings import Settings


@pytest.mark.parametrize("is_for_encoder", [False, True])
def test_the_cpu_runs_bfloat16_only_where_its_hardware_does(
    tmp_path: Path, is_for_encoder: bool
) -> None:
    settings = Settings(home=tmp_path, device="cpu")
    device = choose_device(settings, is_for_encoder=is_for_encoder)
    is_fast = reads_fast_in_bfloat16() if is_for_encoder else has_fast_bfloat16()
    wanted = torch.bfloat16 if is_fast else torch.float32
    assert (device.name, device.dtype) == ("cpu", wanted)


def test_a_number_of_threads_that_is_set_is_used(tmp_path: Path) -> None:
    assert choose_device(Settings(home=tmp_path, threads=3)).threads == 3


def test_by_default_each_physical_core_gets_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WHIMBREL_THREADS", raising=False)
    assert choose_device(Settings(home=tmp_path)).threads == physical_cores() >= 1


def test_a_device_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    for name in (name for name, is_there in present.items() if not is_there):
        with pytest.raises(SettingsError, match=f"WHIMBREL_DEVICE is {name}"):
            choose_device(Settings.model_validate({"home": tmp_path, "device": name}))
