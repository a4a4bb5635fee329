"""How the model on trial does, as admins are shown it: pure functions to messages of blocks."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement, ConfirmObject

from bot.admin.admin_cards import run_name, section
from bot.slack.incoming.interactions import RUN
from bot.slack.outgoing.cards import Card
from bot.strings import Strings
from bot.trials.arms import Arms
from retrieval.registry.trials import Trial


def trial_card(trial: Trial, arms: Arms, strings: Strings) -> Card:
    """Both arms of a trial and what can be said of them, with buttons that end it."""
    text = "\n".join(_lines(trial, arms, strings))
    buttons = ActionsBlock(elements=list(_buttons(trial, strings)))
    blocks: tuple[Block, ...] = (section(text), buttons)
    return Card(text, blocks)


def _lines(trial: Trial, arms: Arms, strings: Strings) -> Iterator[str]:
    title = strings.trial.title.format(
        kind=strings.models.trained_kinds[trial.kind],
        run=trial.run,
        date=trial.since[:16].replace("T", " "),
        before=run_name(trial.before, strings),
    )
    yield f"*{title}*"
    yield strings.trial.modes[trial.mode].format(share=f"{trial.share:.0%}")
    monitor = arms.monitor()
    for arm, rated in (("candidate", monitor.candidate), ("served", monitor.served)):
        questions = arms.of(is_candidate=arm == "candidate")
        yield strings.trial.arm.format(
            arm=strings.trial.arms[arm],
            questions=len(questions),
            answered=sum(question.is_answer for question in questions),
            rated=rated.ratings,
            good=rated.good,
        )
    if arms.agreement is not None:
        yield strings.trial.agreement.format(
            questions=arms.agreement.questions,
            overlap=f"{arms.agreement.overlap:.0%}",
            gained=arms.agreement.gained,
            lost=arms.agreement.lost,
        )
    if trial.mode != "shadow":
        yield strings.trial.verdicts[monitor.verdict]


def _buttons(trial: Trial, strings: Strings) -> Iterator[ButtonElement]:
    choices = [("stop", strings.trial.stop, strings.trial.stop_confirm, "danger")]
    if trial.mode != "all":
        choices.insert(
            0, ("publish", strings.trial.publish, strings.trial.publish_confirm, "primary")
        )
    for name, label, question, style in choices:
        yield ButtonElement(
            text=label,
            action_id=f"{RUN}trial_{name}",
            value=f"trial {name} {trial.run}",
            style=style,
            confirm=ConfirmObject(
                title=label, text=question, confirm=label, deny=strings.trial.cancel
            ),
        )
