"""Models of a hub: from its cache on this disk or, if it answers at once, from the hub itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from retrieval.errors import ModelNotFoundError
from retrieval.progress import Tell

T = TypeVar("T")

COMMIT = re.compile(r"[0-9a-f]{40}")

TIMEOUT_S = 3
"""How long the hub may take to say that it is there."""


def snapshot(hub_id: str, revision: str | None, say: Tell) -> Path:
    """The folder of a hub's model, named by its commit, with safetensors if it has them.

    Raises:
        ModelNotFoundError: If it is neither in the cache nor to be had from the hub.
    """
    from huggingface_hub import snapshot_download

    def download(*, local_files_only: bool) -> Path:
        for weights in ("*.safetensors", "*.bin"):
            found = snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=["*.json", "*.txt", "*.model", "*.jinja", weights],
                local_files_only=local_files_only,
            )
            path = Path(found)
            if any(path.glob(weights)):
                break
        return path

    return _from_cache_or_hub(hub_id, revision, download, say)


def file(hub_id: str, name: str, revision: str, say: Tell) -> Path:
    """One file of a hub's model.

    Raises:
        ModelNotFoundError: If it is neither in the cache nor to be had from the hub.
    """
    from huggingface_hub import hf_hub_download

    download = partial(hf_hub_download, hub_id, name, revision=revision)
    return Path(_from_cache_or_hub(hub_id, revision, download, say))


def _from_cache_or_hub(
    hub_id: str, revision: str | None, download: Callable[..., T], say: Tell
) -> T:
    """What `download(local_files_only=…)` gives, without waiting for a hub that is not there.

    The hub's own library tries again for most of a minute, and waits without limit where packets
    are dropped. A commit never changes, so the hub is not asked about one that is on this disk.
    """
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if revision and COMMIT.fullmatch(revision):
        with suppress(LocalEntryNotFoundError):
            return download(local_files_only=True)
    unreachable = _why_unreachable(lambda: say(f"looking for {hub_id} on the hub"))
    try:
        return download(local_files_only=unreachable is not None)
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ModelNotFoundError(
            f"no folder {hub_id!r} here and no model of that name in the hub's cache, and "
            + (unreachable or f"the hub did not give one: {error}")
        ) from error


def _why_unreachable(on_asking: Callable[[], None]) -> str | None:
    """What keeps the hub from being asked, found with one request; None if nothing does."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    on_asking()
    try:
        answer = get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)
    except Exception as error:  # of the hub's HTTP library, which is not the same in each release
        found = str(error) or type(error).__name__
    else:
        if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        found = f"status {answer.status_code}"
    return (
        f"{constants.ENDPOINT} cannot be reached ({found}); connect this machine, set HF_ENDPOINT "
        "to a mirror, or give the folder of a model"
    )
