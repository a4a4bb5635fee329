"""Which models an endpoint has, as it says itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.errors import EndpointError, ModelNotFoundError
from retrieval.models.client import Client, JsonObject
from retrieval.models.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Listed:
    """What an endpoint says of a model: its context and size where it does, and its base model."""

    name: str
    context: int | None
    parameters: int | None
    parent: str | None


def models_at(client: Client) -> list[Listed]:
    """The models that an endpoint names.

    Raises:
        EndpointError: If it names none.
    """
    found = client.get(client.endpoint.at("/models"))
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise EndpointError(f"{client.endpoint.url}: it gave no list of models")
    return [_model(row) for row in rows if isinstance(row, dict) and row.get("id")]


def only_model(endpoint: Endpoint, listed: Sequence[Listed]) -> str:
    """The name of the endpoint's only model, adapters aside.

    Raises:
        ModelNotFoundError: If it has none or several.
    """
    names = [model.name for model in listed if model.parent is None]
    if len(names) != 1:
        some = ", ".join(names[:10]) or "none"
        raise ModelNotFoundError(
            f"{endpoint.url} has these models: {some}; name one with # after the address"
        )
    return names[0]


def _model(row: JsonObject) -> Listed:
    meta = row.get("meta") or {}
    contexts = (row.get("max_model_len"), row.get("context_length"), meta.get("n_ctx"))
    return Listed(
        name=str(row["id"]),
        context=next((n for n in contexts if isinstance(n, int) and n > 0), None),
        parameters=meta.get("n_params"),
        parent=row.get("parent"),
    )
