from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from retrieval.llm.prefill_pool import PrefillPool


def threads_of_torch() -> tuple[str, int]:
    return threading.current_thread().name, torch.get_num_threads()


def test_several_tasks_have_a_thread_and_a_core_each() -> None:
    readers, met = PrefillPool(2), threading.Barrier(2)

    def task() -> tuple[str, int]:
        met.wait(60)
        return threads_of_torch()

    outcomes = [future.result() for future in readers.read([task, task])]
    readers.close()
    assert len({name for name, _ in outcomes}) == 2
    assert [cores for _, cores in outcomes] == [1, 1]


def test_the_others_keep_all_cores() -> None:
    before = torch.get_num_threads()
    readers = PrefillPool(2)
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as new_thread:
        _, later = new_thread.submit(threads_of_torch).result()
    readers.close()
    assert later == before


def test_one_task_alone_runs_on_the_callers_cores() -> None:
    readers = PrefillPool(2)
    (future,) = readers.read([threads_of_torch])
    readers.close()
    assert future.result() == threads_of_torch()


@pytest.mark.parametrize("count", [1, 2])
def test_a_task_that_fails_fails_alone(count: int) -> None:
    readers = PrefillPool(count)
    good, bad = readers.read([partial(int, "7"), partial(int, "seven")])
    readers.close()
    assert good.result() == 7
    with pytest.raises(ValueError, match="seven"):
        bad.result()
