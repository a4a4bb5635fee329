"""Several workspaces learn one model together by Flower, and nobody's log leaves home.

A coordinator sends what is learned so far to every member, each moves it a little by its own
examples, and the coordinator puts together what they send back: arrays of numbers, nothing else.
It runs no code that a coordinator sends, unlike Flower's own nodes: the messages of Flower travel
in its plain stream of requests, over TLS. Each member has a token of its own, which lets in one at
a time, so that nobody counts twice.

Members are put together by the median of each number, which one of three cannot move far (Yin et
al. 2018). In secret they are added up under masks (SecAgg+, Bell et al. 2020): the coordinator then
sees the sum alone, and so cannot tell who spoils it.
"""

from __future__ import annotations

import hmac
import logging
import os
import ssl
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from retrieval.errors import RetrievalError
from retrieval.progress import Tell
from training.extra import need

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.server.client_proxy import ClientProxy
    from flwr.serverapp import Grid

Arrays = Sequence[npt.NDArray[np.float64]]

MIN_MEMBERS = 3
"""Of two, each could subtract its own part from what was put together."""

CLIPPED_AT = 16.0
"""In secret, numbers beyond this are cut, so that what is added up does not run over."""

MAX_BYTES = 2**26
"""No message is larger."""

MIN_LETTERS = 16
MAX_ROUNDS = 100

PATIENCE_S = 86_400
"""So long members are waited for."""

WAIT_S = 600
"""A member that says nothing for so long is left behind."""


class FederationError(RetrievalError):
    """Learning together ended before anything was learned."""


@dataclass(frozen=True, slots=True)
class Membership:
    """How a member finds its coordinator, and knows it.

    `address` is `host:port`; `authority` and `token` are files: who signed the coordinator's
    certificate, and what lets this member in. If it `is_secret`, nothing leaves without a mask. A
    coordinator that is not there yet is waited for.
    """

    address: str
    authority: Path
    token: Path
    is_secret: bool = False
    patience_s: float = 60


@dataclass(frozen=True, slots=True)
class Coordination:
    """Who may come, a token a line in `tokens`, and how what they send is put together."""

    listen: str
    certificate: Path
    key: Path
    authority: Path
    tokens: Path
    is_secret: bool = False


class Learner(Protocol):
    """What a member does with what is learned so far.

    `about` says what is learned and from what; all members must say the same. It is moved in
    `rounds`, by so many `examples`.
    """

    about: str
    rounds: int
    examples: int

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """What this member makes of the arrays in a round, the first of which is number 1."""
        ...


def take_part(learner: Learner, membership: Membership) -> Arrays:
    """What all members have learned together; this waits for them.

    Raises:
        ExtraMissingError: If Flower is not installed.
        FederationError: If the coordinator is not reached, sends it away or is gone too early.
    """
    _prepare()
    import grpc
    from flwr.client import NumPyClient, start_client
    from flwr.client.mod import secaggplus_mod
    from flwr.clientapp import ClientApp

    final: list[Arrays] = []

    class Member(NumPyClient):  # type: ignore[misc]  # Flower's types are not looked at
        def fit(
            self, parameters: Arrays, config: dict[str, Any]
        ) -> tuple[Arrays, int, dict[str, Any]]:
            return list(learner.move(int(config["round"]), parameters)), learner.examples, {}

        def evaluate(self, parameters: Arrays, config: object) -> tuple[float, int, dict[str, Any]]:  # noqa: ARG002
            final.append(parameters)
            return 0.0, learner.examples, {}

    app = ClientApp(
        lambda _: Member().to_client(), [secaggplus_mod] if membership.is_secret else []
    )
    said = {
        "token": _tokens(membership.token)[0],
        "about": learner.about,
        "rounds": learner.rounds,
        "secret": membership.is_secret,
    }
    authority = membership.authority.read_bytes()
    _wait_for(membership, authority)
    try:
        start_client(
            server_address=membership.address,
            client=_carrier(app, said),
            root_certificates=authority,
            grpc_max_message_length=MAX_BYTES,
        )
    except grpc.RpcError as error:
        raise FederationError(f"{membership.address} has gone: {error.details()}") from error
    if not final:
        raise FederationError(
            f"{membership.address} sent this workspace away, and says why: another token or kind "
            f"of secrecy is wanted, or something else is learned there than {said['about']}"
        )
    if not all(np.isfinite(array).all() for array in final[-1]):
        raise FederationError(f"what came from {membership.address} in the end is no number")
    return final[-1]


def _wait_for(membership: Membership, authority: bytes) -> None:
    import grpc

    with grpc.secure_channel(
        membership.address, grpc.ssl_channel_credentials(authority)
    ) as channel:
        try:
            grpc.channel_ready_future(channel).result(membership.patience_s)
        except grpc.FutureTimeoutError as error:
            raise FederationError(
                f"{membership.address} is not reached, or its certificate is for another name or "
                f"not signed by {membership.authority}"
            ) from error


def coordinate(coordination: Coordination, *, on_progress: Tell = lambda _: None) -> Arrays:
    """Have members learn together, when all of them have come; what they learned.

    Raises:
        ExtraMissingError: If Flower is not installed.
        FederationError: If there are too few in the end.
    """
    _prepare()
    from flwr.server import SimpleClientManager
    from flwr.server.superlink.fleet.grpc_bidi.grpc_server import start_grpc_server

    tokens = check_coordination(coordination)
    files = (coordination.authority, coordination.certificate, coordination.key)
    manager = SimpleClientManager()
    server = start_grpc_server(
        manager,
        coordination.listen,
        max_message_length=MAX_BYTES,
        certificates=tuple(file.read_bytes() for file in files),
    )
    on_progress(f"waiting at {coordination.listen} for {len(tokens)} members")
    try:
        members, rounds = _admitted(manager, coordination, tokens, on_progress)
        return _run(members, coordination, rounds, on_progress)
    finally:
        server.stop(grace=1)


def check_membership(membership: Membership) -> None:
    """Look at a member's files, before anything takes long.

    Raises:
        FederationError: If they hold something else than they should.
    """
    _tokens(membership.token)
    _trusting(membership.authority)


def check_coordination(coordination: Coordination) -> list[str]:
    """Look at the coordinator's files, before anybody is waited for; the tokens of its members.

    Raises:
        FederationError: If they hold something else than they should, or too few tokens.
    """
    tokens = _tokens(coordination.tokens)
    if len(tokens) < MIN_MEMBERS:
        raise FederationError(
            f"{coordination.tokens} holds {len(tokens)} tokens, one a line; {MIN_MEMBERS} members "
            "are needed, since of fewer one could see another's part"
        )
    certificate, key = coordination.certificate, coordination.key
    try:
        _trusting(coordination.authority).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise FederationError(
            f"{certificate} and {key} are no certificate with its key, as PEM, without a password"
        ) from error
    return tokens


def _trusting(authority: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(authority))
    except ssl.SSLError as error:
        raise FederationError(f"{authority} holds no certificate, as PEM") from error


def _prepare() -> None:
    """Flower without its reports to its makers, and no louder than what goes wrong."""
    need("flwr", extra="federated")
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    from flwr.supercore.task_identity import TaskIdentity

    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    # Messages name the task that sent them; here a process has one.
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


def _tokens(file: Path) -> list[str]:
    tokens = list(dict.fromkeys(file.read_text(encoding="utf-8", errors="replace").split()))
    if not tokens or min(map(len, tokens)) < MIN_LETTERS:
        raise FederationError(f"{file} must hold tokens of {MIN_LETTERS} letters or more")
    return tokens


def _carrier(app: Any, said: dict[str, Any]) -> Any:  # noqa: ANN401  Flower's own
    """What takes Flower's messages out of the requests of its stream, and puts replies back."""
    from flwr.app import Context, RecordDict
    from flwr.client import Client
    from flwr.common import Code, FitIns, FitRes, GetPropertiesIns, GetPropertiesRes, Status

    context = Context(1, 1, {}, RecordDict(), {}, 1)
    done = Status(Code.OK, "")

    class Carrier(Client):  # type: ignore[misc]
        def get_properties(self, ins: GetPropertiesIns) -> GetPropertiesRes:  # noqa: ARG002
            return GetPropertiesRes(done, said)

        def fit(self, ins: FitIns) -> FitRes:
            message = _unpacked(ins.config)
            reply = app(message, context)
            return FitRes(done, ins.parameters, 0, _packed(reply))

    return Carrier()


def _packed(message: Message) -> dict[str, Any]:
    from flwr.common.serde import recorddict_to_proto

    return {
        "type": message.metadata.message_type,
        "node": message.metadata.dst_node_id,
        "round": message.metadata.group_id,
        "content": recorddict_to_proto(message.content).SerializeToString(),
    }


def _unpacked(packed: Any, *, reply_to: Message | None = None) -> Message:  # noqa: ANN401
    from flwr.app import Message
    from flwr.common.serde import recorddict_from_proto
    from flwr.proto.recorddict_pb2 import RecordDict

    content = recorddict_from_proto(RecordDict.FromString(packed["content"]))
    if reply_to is not None:
        return Message(content, reply_to=reply_to)
    return Message(content, packed["node"], packed["type"], group_id=packed["round"])


def _admitted(
    manager: Any,  # noqa: ANN401
    coordination: Coordination,
    tokens: Sequence[str],
    on_progress: Tell,
) -> tuple[list[ClientProxy], int]:
    """A member for each token, who all learn the same, and in how many rounds."""
    from flwr.common import GetPropertiesIns, ReconnectIns

    members: dict[str, ClientProxy] = {}
    first: dict[str, Any] = {}
    while len(members) < len(tokens):
        if not manager.wait_for(len(members) + 1, timeout=PATIENCE_S):
            raise FederationError(f"{len(members)} of {len(tokens)} members came")
        for proxy in [new for new in list(manager.all().values()) if new not in members.values()]:
            try:
                said = dict(proxy.get_properties(GetPropertiesIns({}), 10, 0).properties)
                free = [token for token in tokens if token not in members]
                refusal = _refusal(said, first, free, coordination)
                if refusal is None:
                    first = first or said
                    members[said["token"]] = proxy
                    on_progress(f"{len(members)} of {len(tokens)} members are here")
                    continue
                on_progress(f"sent one away: {refusal}")
                proxy.reconnect(ReconnectIns(None), 10, 0)
            except Exception as error:  # whatever a stranger does, others may come
                on_progress(f"lost one: {type(error).__name__}")
            manager.unregister(proxy)
        here = manager.all()
        members = {token: proxy for token, proxy in members.items() if proxy.cid in here}
    return list(members.values()), int(first["rounds"])


def _refusal(
    said: dict[str, Any], first: dict[str, Any], free: Sequence[str], coordination: Coordination
) -> str | None:
    """Why somebody may not take part; None if they may."""
    token = str(said.get("token", "")).encode()
    if not any(hmac.compare_digest(token, known.encode()) for known in free):
        return "no token, or one that is here already"
    if said.get("secret") is not coordination.is_secret:
        return "--secret is given here or there alone"
    wanted = first or said
    if any(said.get(name) != wanted.get(name) for name in ("about", "rounds")):
        return "learns something else"
    return None if said.get("rounds") in range(1, MAX_ROUNDS + 1) else "too many rounds"


def _run(
    members: Sequence[ClientProxy], coordination: Coordination, rounds: int, on_progress: Tell
) -> Arrays:
    """Go through all rounds, and give every member what came of them."""
    from flwr.app import Context, RecordDict
    from flwr.common import ReconnectIns, ndarrays_to_parameters
    from flwr.server import LegacyContext, ServerConfig
    from flwr.server.strategy import FedAvg, FedMedian
    from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
    from flwr.server.workflow.default_workflows import (
        default_evaluate_workflow,
        default_fit_workflow,
    )

    strategy = (FedAvg if coordination.is_secret else FedMedian)(
        min_fit_clients=2,
        min_evaluate_clients=1,
        min_available_clients=1,
        initial_parameters=ndarrays_to_parameters([np.zeros(1)]),
        on_fit_config_fn=lambda number: {"round": number},
    )
    put_together = (
        SecAggPlusWorkflow(1.0, 0.6, clipping_range=CLIPPED_AT)
        if coordination.is_secret
        else default_fit_workflow
    )
    done = 0

    def fit(grid: Grid, context: LegacyContext) -> None:
        nonlocal done
        before = context.state.array_records["parameters"]
        put_together(grid, context)
        if context.state.array_records["parameters"] is before:
            raise FederationError(f"too few members were left in round {done + 1}")
        done += 1
        on_progress(f"round {done} of {rounds}")

    def evaluate(grid: Grid, context: LegacyContext) -> None:
        if done == rounds:
            default_evaluate_workflow(grid, context)

    own = Context(1, 1, {}, RecordDict(), {}, 1)
    context = LegacyContext(own, ServerConfig(num_rounds=rounds), strategy)
    DefaultWorkflow(fit, evaluate)(_grid(members, coordination), context)
    for proxy in members:
        with suppress(Exception):  # it has gone
            proxy.reconnect(ReconnectIns(None), 10, 0)
    found: Arrays = context.state.array_records["parameters"].to_numpy_ndarrays()
    return found


def _grid(members: Sequence[ClientProxy], coordination: Coordination) -> Grid:
    """Flower's way to send messages, over the streams of its plain clients."""
    from flwr.app import Error, Message
    from flwr.app.message_type import MessageType
    from flwr.common import FitIns, Parameters
    from flwr.serverapp import Grid
    from flwr.supercore.run import Run

    proxies = dict(enumerate(members, start=2))

    class Streams(Grid):  # type: ignore[misc]
        run = Run.create_empty(1)
        set_run = create_message = push_messages = pull_messages = None

        def get_node_ids(self) -> Iterable[int]:
            return list(proxies)

        def send_and_receive(
            self,
            messages: Iterable[Message],
            *,
            timeout: float | None = None,  # noqa: ARG002
        ) -> Iterable[Message]:
            with ThreadPoolExecutor(len(members)) as pool:
                replies = list(pool.map(self.exchange, messages))
            is_plain = replies and replies[0].metadata.message_type == MessageType.TRAIN
            if is_plain and not coordination.is_secret:
                replies = _sound(replies)
            answered = sum(reply.has_content() for reply in replies)
            if 2 * answered <= len(members):
                raise FederationError(f"{answered} of {len(members)} members are left: too few")
            return replies

        def exchange(self, message: Message) -> Message:
            proxy = proxies[message.metadata.dst_node_id]
            try:
                carried = FitIns(Parameters([], ""), _packed(message))
                return _unpacked(proxy.fit(carried, WAIT_S, 0).metrics, reply_to=message)
            except Exception as error:  # whatever a member does, others go on
                return Message(Error(0, type(error).__name__), reply_to=message)

    return Streams()


def _sound(replies: Sequence[Message]) -> list[Message]:
    """The replies, with an error in place of arrays that are no numbers or of another shape."""
    from flwr.app import Error, Message

    def shapes(reply: Message) -> tuple[tuple[int, ...], ...] | None:
        if not reply.has_content():
            return None
        try:
            arrays = [
                array
                for record in reply.content.array_records.values()
                for array in record.to_numpy_ndarrays()
            ]
            is_sound = arrays and all(np.isfinite(array).all() for array in arrays)
        except (TypeError, ValueError):
            return None
        return tuple(array.shape for array in arrays) if is_sound else None

    found = [shapes(reply) for reply in replies]
    usual = Counter(shape for shape in found if shape is not None).most_common(1)
    return [
        reply
        if shape is not None and shape == usual[0][0]
        else Message(Error(0, "unsound"), reply_to=reply)
        for reply, shape in zip(replies, found, strict=True)
    ]
