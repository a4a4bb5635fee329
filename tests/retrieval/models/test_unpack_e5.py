import struct
from pathlib import Path

import numpy as np
import pytest

from retrieval.models.unpack_e5 import BLOCK, dequantized, unpack


def test_a_block_is_its_scale_times_its_nibbles_less_eight() -> None:
    blocks = np.zeros(1, BLOCK)
    blocks["scale"], blocks["nibbles"][0, 0] = 0.5, 0xF1
    weights = dequantized(blocks)
    assert (weights[0, 0], weights[0, 16], weights[0, 1]) == (-3.5, 3.5, -4.0)


def test_other_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="E5S1"):
        unpack(memoryview(struct.pack("<4s48x", b"ELF!")), tmp_path)
