"""Choose where models run, in which precision, and on how many threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import SettingsError
from retrieval.settings import Settings

if TYPE_CHECKING:
    import torch

CORE_LISTS = "/sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Device:
    """`name` as torch takes it; `dtype` of the weights; `threads` for work on the processor."""

    name: str
    dtype: torch.dtype
    threads: int


def choose_device(settings: Settings, *, is_for_encoder: bool = False) -> Device:
    """The device that the settings ask for; `auto` takes the fastest one present.

    Args:
        settings: Which device, and how many threads.
        is_for_encoder: Whether what runs there reads whole texts at a time, and writes none.

    Raises:
        SettingsError: If the device that is asked for is not there.
    """
    import torch

    threads = settings.threads or physical_cores()
    name: str = settings.device
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, is_there in present.items() if is_there), "cpu")
    if not present.get(name, True):
        raise SettingsError(f"WHIMBREL_DEVICE is {name}, but torch finds none here; try `auto`")
    if name == "cuda":
        return Device(name, torch.bfloat16, threads)
    if name == "mps":
        return Device(name, torch.float16, threads)
    is_fast = reads_fast_in_bfloat16() if is_for_encoder else has_fast_bfloat16()
    return Device(name, torch.bfloat16 if is_fast else torch.float32, threads)


def use_threads(device: Device) -> None:
    """Let torch use the device's threads, in this process, from now on."""
    import torch

    torch.set_num_threads(device.threads)


def free_memory(device: Device) -> int | None:
    """The bytes that are free on a GPU with CUDA; None where nobody says what one may take."""
    import torch

    return torch.cuda.mem_get_info()[0] if device.name == "cuda" else None


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; elsewhere float32 is faster."""
    return _has("amx_tile") or _has("avx512_bf16")


def reads_fast_in_bfloat16() -> bool:
    """Whether whole texts, too, are read faster so.

    Intel's instruction for vectors does in a cycle what two for float32 do, and has to convert
    beside; AMD's does twice as much.
    """
    return _has("amx_tile") or (_has("avx512_bf16") and _is_of_amd())


def _has(feature: str) -> bool:
    import torch

    # Torch only knows these by private names, and not in every version.
    return bool(getattr(torch.cpu, f"_is_{feature}_supported", lambda: False)())


def _is_of_amd() -> bool:
    """Whether the processor is AMD's, where the system says; Linux does."""
    path = Path("/proc/cpuinfo")
    return path.exists() and "AuthenticAMD" in path.read_text()


def physical_cores() -> int:
    """Cores this process may use, hyper-threads of one core counted once."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # macOS and Windows do not say
        return os.cpu_count() or 1
    siblings = {_siblings(cpu) for cpu in allowed}
    return max(1, len(siblings))


def _siblings(cpu: int) -> str:
    """The hyper-threads that share a core with this one, as Linux writes them."""
    path = Path(f"{CORE_LISTS}/cpu{cpu}/topology/thread_siblings_list")
    return path.read_text().strip() if path.exists() else str(cpu)
