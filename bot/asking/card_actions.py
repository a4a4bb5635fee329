"""What the buttons of a card do: explain, share, keep, delete, ask an expert, try again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ContextBlock, MarkdownTextObject

from bot.asking.disclosure import Disclosed, Disclosure, KnowsLabels
from bot.asking.explanation import explanation, working
from bot.slack.incoming.interactions import ASK_EXPERT, DELETE, KEEP, RETRY, SHARE, WHY
from bot.slack.incoming.payloads import Interaction, read, read_in_part
from bot.slack.outgoing.cards import Card, Frame, answer_cards, helpers, notice
from bot.slack.outgoing.mrkdwn import one_line, quoted
from bot.slack.outgoing.reaching import reason
from bot.slack.workspace import Workspace
from bot.store.audit import Act, AuditLog, passages_of
from bot.store.cards import Cards
from bot.store.channels import Channels
from bot.store.inbox import Inbox, Job
from bot.store.signals import SignalKind, Signals
from bot.store.turns import LoggedTurn, Turns
from bot.strings import Strings, strings_for
from retrieval.linking import LinkRules
from retrieval.records import Passage

WAIT_S, PATIENCE_S = 0.5, 10.0
"""How often, and for how long, a click waits for its turn to be in the log."""

SHOWN_CHARS = 300
"""How much of a question is repeated where its answer is shown again."""


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a button of a card, and the turn that the card shows."""

    job: Job
    interaction: Interaction
    turn: LoggedTurn

    @property
    def strings(self) -> Strings:
        """The words in the language of the answer."""
        return strings_for(self.turn.language)


class CardHandler:
    """Does what people ask of an answer that is there already."""

    def __init__(
        self,
        inbox: Inbox,
        workspace: Workspace,
        documents: KnowsLabels,
        audit: AuditLog,
        *,
        proposal_emoji: str,
        links: LinkRules,
    ) -> None:
        self._inbox = inbox
        self._audit = audit
        self._links = links
        self._run = inbox.database.run
        self._cards = Cards(inbox.database)
        self._channels = Channels(inbox.database)
        self._signals = Signals(inbox.database)
        self._turns = Turns(inbox.database)
        self._disclosure = Disclosure(inbox.database, documents)
        self._outbox = workspace.outbox
        self._audiences = workspace.audiences
        self._people = workspace.people
        self._emoji = proposal_emoji.strip(":")
        self._actions: dict[str, Callable[[Click], Awaitable[None]]] = {
            WHY: self._why,
            SHARE: self._share,
            KEEP: self._keep,
            DELETE: self._delete,
            ASK_EXPERT: self._ask_expert,
        }

    async def handle(self, job: Job) -> None:
        """Do what the button says; a click on a card that is not logged yet waits for it."""
        interaction = read(job, Interaction)
        if interaction.name == RETRY:
            await self._run(self._retry, job, interaction)
            return
        turn = await self._run(self._turn, interaction.value)
        if turn is not None:
            await self._actions[interaction.name](Click(job, interaction, turn))
        elif await self._is_early(job, interaction):
            await self._run(self._inbox.retry, job, delay_s=WAIT_S, is_fault=False)
        else:
            _, strings = await self._people.look_up(job.user)
            await self._tell(job, interaction, strings.card_actions.gone)
            await self._run(self._inbox.finish, job)

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Tell who clicked, in private."""
        interaction = read_in_part(job, Interaction(""))
        turn = await self._run(self._turn, interaction.value)
        strings = strings_for("en" if turn is None else turn.language)
        await self._tell(job, interaction, strings.asking.failed.format(error_id=job.error_id))

    def _turn(self, turn_id: str) -> LoggedTurn | None:
        return self._turns.get(turn_id) if self._cards.is_kept(turn_id) else None

    async def _is_early(self, job: Job, interaction: Interaction) -> bool:
        """Whether the turn may yet be written: its card is shown a moment before."""
        is_fresh = time.time() - job.created < PATIENCE_S
        return is_fresh and not await self._run(self._cards.is_logged, interaction.value)

    async def _why(self, click: Click) -> None:
        strings = click.strings
        modal = await self._outbox.open_modal(click.interaction.trigger_id or "", working(strings))
        if modal is None:
            await self._end(click, strings.card_actions.too_late)
            return
        readers = await self._audiences.of_reader(click.job.channel, user=click.job.user)
        told = await self._run(self._disclosure.explained, click.turn.id, readers=readers)
        frame = Frame(now=time.time(), links=self._links)
        view = explanation(told.contributions, frame, strings, is_whole=told.is_whole)
        await self._outbox.change_modal(modal, view)
        passages = [contribution.citation.passage for contribution in told.contributions]
        await self._note("explained", click, passages, channel="")
        await self._end(click, signal="why")

    async def _share(self, click: Click) -> None:
        turn, job = click.turn, click.job
        readers = await self._audiences.of_channel(turn.channel, user=job.user)
        shown = await self._run(self._disclosure.to, turn.id, readers=readers)
        if shown.answer is None:
            await self._refuse(click, shown, click.strings.card_actions.not_shareable)
            return
        if not await self._is_in(turn, lambda channel: channel == turn.channel):
            await self._note("shared", click, passages_of(shown.answer), channel=turn.channel)
            try:
                await self._show_again(
                    click, turn.channel, turn.thread_ts, click.strings.card_actions.shared
                )
            except SlackApiError as error:
                if reason(error) not in ("not_in_channel", "channel_not_found"):
                    raise
                await self._end(click, click.strings.card_actions.not_member)
                return
            await self._run(self._publish, click, await self._shared_with(click, shown))
        await self._refresh(click)
        await self._end(click)

    async def _keep(self, click: Click) -> None:
        readers = await self._audiences.of_person(click.job.user)
        shown = await self._run(self._disclosure.to, click.turn.id, readers=readers)
        if shown.answer is None:
            await self._refuse(click, shown, click.strings.card_actions.not_keepable)
            return
        if not await self._is_in(click.turn, lambda channel: channel.startswith("D")):
            await self._note("kept", click, passages_of(shown.answer), channel="")
            await self._show_again(click, click.job.user, None, click.strings.card_actions.kept)
        await self._refresh(click)
        await self._end(click)

    async def _delete(self, click: Click) -> None:
        job, turn = click.job, click.turn
        if job.user != turn.asker and not (await self._people.look_up(job.user))[0]:
            await self._end(click, click.strings.card_actions.not_yours)
            return
        for channel, ts in await self._run(self._cards.messages, turn.id):
            await self._outbox.delete(channel, ts)
        await self._run(self._forget, click)

    async def _ask_expert(self, click: Click) -> None:
        turn, job = click.turn, click.job
        config = await self._run(self._channels.of, job.channel)
        readers = await self._audiences.of_channel(job.channel, user=job.user)
        shown = await self._run(self._disclosure.to, turn.id, readers=readers)
        if shown.answer is None:
            await self._refuse(click, shown, click.strings.card_actions.not_shareable)
            return
        experts = helpers(shown.answer, config)
        if await self._run(self._cards.escalation, turn.id) or not experts:
            await self._end(click, click.strings.card_actions.escalated)
            return
        ts = await self._escalate(click, experts)
        await self._run(self._cards.escalate, turn.id, person=job.user, ts=ts)
        if click.interaction.ts is not None:
            cards = await self._public_cards(click, job.channel)
            if cards:
                await self._outbox.edit(job.channel, click.interaction.ts, cards[-1])
        await self._end(click, signal="escalated")

    async def _escalate(self, click: Click, experts: Sequence[str]) -> str:
        """Ask the experts in the answer's thread, once; the ts of the message that does."""
        event_id = f"escalation:{click.turn.id}"
        thread_ts = click.turn.thread_ts or click.interaction.thread_ts or click.interaction.ts
        where, since = click.job.channel, thread_ts or "0"
        if click.job.attempts > 1:
            sent = await self._outbox.sent(where, thread_ts, event_id=event_id, since=since)
            if 0 in sent:
                return sent[0]
        text = click.strings.card_actions.escalation.format(
            question=_shown(click.turn), emoji=self._emoji
        )
        _, ts = await self._outbox.post(
            where, notice(text), thread_ts=thread_ts, event_id=event_id, tagged=experts
        )
        return ts

    def _retry(self, job: Job, interaction: Interaction) -> None:
        with self._inbox.database.transaction():
            self._inbox.again(interaction.value, response_url=interaction.response_url)
            self._inbox.finish(job)

    async def _refuse(self, click: Click, shown: Disclosed, words: str) -> None:
        """Say why an answer is not shown again."""
        is_outdated = shown.audience is None
        await self._end(click, click.strings.card_actions.outdated if is_outdated else words)

    async def _shared_with(self, click: Click, shown: Disclosed) -> frozenset[str]:
        """Who may read, from now on, what was said to one person and is shown to a channel now."""
        where = await self._audiences.place(click.turn.channel, user=click.job.user)
        return (shown.audience or frozenset()) | ({where} if where else set())

    def _publish(self, click: Click, audience: frozenset[str]) -> None:
        turn_id, job = click.turn.id, click.job
        with self._inbox.database.transaction():
            if self._signals.note(turn_id, "shared", job.user, job.event_id):
                self._cards.open_to(turn_id, audience)

    async def _is_in(self, turn: LoggedTurn, is_there: Callable[[str], bool]) -> bool:
        messages = await self._run(self._cards.messages, turn.id)
        return any(is_there(channel) for channel, _ in messages)

    async def _note(
        self, act: Act, click: Click, passages: Sequence[Passage], *, channel: str
    ) -> None:
        job, turn = click.job, click.turn
        await self._run(self._audit.shown, act, job, turn.id, passages, channel=channel)

    async def _show_again(
        self, click: Click, where: str, thread_ts: str | None, heading: str
    ) -> None:
        """Post a private answer for others, or to keep, and let ratings of it count."""
        turn = click.turn
        event_id = f"{click.interaction.name}:{turn.id}"
        sent: dict[int, str] = {}
        if click.job.attempts > 1 and where == turn.channel:
            since = thread_ts or "0"
            sent = await self._outbox.sent(where, thread_ts, event_id=event_id, since=since)
        channel = where
        for part, card in enumerate(await self._public_cards(click, where, heading=heading)):
            if part not in sent:
                channel, sent[part] = await self._outbox.post(
                    where, card, thread_ts=thread_ts, event_id=event_id, part=part
                )
            await self._run(self._cards.add_message, turn.id, channel, sent[part])

    async def _public_cards(
        self, click: Click, channel: str, *, heading: str | None = None
    ) -> tuple[Card, ...]:
        """The answer's cards as they are now, below a heading where it was private at first.

        There are none where not everybody who will read them may read the answer now.
        """
        turn, user = click.turn, click.job.user
        readers = await self._audiences.of_person(user)
        if channel != user:
            readers = await self._audiences.of_channel(channel, user=user)
        shown = await self._run(self._disclosure.to, turn.id, readers=readers)
        if shown.answer is None:
            return ()
        config = await self._run(self._channels.of, channel)
        has_asked = await self._run(self._cards.escalation, turn.id) is not None
        done = frozenset({ASK_EXPERT} if has_asked else ())
        is_direct = channel[:1] not in ("C", "G")
        frame = Frame(config, now=time.time(), is_direct=is_direct, done=done, links=self._links)
        first, *rest = answer_cards(shown.answer, frame)
        if heading is None and not await self._run(self._cards.is_private, turn.id):
            return (first, *rest)
        heading = heading or strings_for(turn.language).card_actions.shared
        line = MarkdownTextObject(text=heading.format(question=_shown(turn)))
        return (Card(first.text, (ContextBlock(elements=[line]), *first.blocks)), *rest)

    async def _refresh(self, click: Click) -> None:
        """Take the buttons that have had their effect off a private answer."""
        if click.interaction.response_url is None:
            return
        turn, job = click.turn, click.job
        readers = await self._audiences.of_reader(job.channel, user=job.user)
        shown = await self._run(self._disclosure.to, turn.id, readers=readers)
        if shown.answer is None:
            return
        config = await self._run(self._channels.of, turn.channel)
        messages = await self._run(self._cards.messages, turn.id)
        done = frozenset(KEEP if channel.startswith("D") else SHARE for channel, _ in messages)
        frame = Frame(config, now=time.time(), is_private=True, done=done, links=self._links)
        last = answer_cards(shown.answer, frame)[-1:]  # the one with the buttons
        await self._outbox.respond(click.interaction.response_url, job.user, last, replaces=True)

    async def _end(
        self, click: Click, words: str | None = None, *, signal: SignalKind | None = None
    ) -> None:
        """Tell the person something in private, if there is something, and finish."""
        if words is not None:
            await self._tell(click.job, click.interaction, words)
        await self._run(self._finish, click, signal)

    async def _tell(self, job: Job, interaction: Interaction, text: str) -> None:
        if interaction.response_url is not None:
            cards = (notice(text),)
            await self._outbox.respond(interaction.response_url, job.user, cards)

    def _finish(self, click: Click, signal: SignalKind | None) -> None:
        job = click.job
        with self._inbox.database.transaction():
            if signal is not None:
                self._signals.note(click.turn.id, signal, job.user, job.event_id)
            self._inbox.finish(job)

    def _forget(self, click: Click) -> None:
        with self._inbox.database.transaction():
            self._cards.delete(click.turn.id)
            self._finish(click, "deleted")


def _shown(turn: LoggedTurn) -> str:
    """The question on one line, for mrkdwn between asterisks."""
    line = one_line(turn.question).replace("*", "∗")
    return quoted(line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS - 1]}…")
