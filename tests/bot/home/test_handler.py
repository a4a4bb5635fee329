from __future__ import annotations

from tests.bot.conftest import House
from tests.bot.story import CUP, LEAVE, story

CHOICES = "SELECT person, may_learn, notify FROM people"


async def test_app_home_shows_a_persons_questions_with_votes(each_transport: House) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    await told.ask("Where is the printer?", user="U2")
    await told.rate(turn_id, "good", user="U2")
    await told.rate(turn_id, "bad")
    said = await told.open_home("U1")
    assert LEAVE in said
    assert "👍 1 👎 1 · you: 👎" in said
    assert "printer" not in said


async def test_it_speaks_the_persons_language(house: House) -> None:
    told = await story(house)
    house.slack.users["U1"]["locale"] = "zh-CN"
    assert "您的提问" in await told.open_home("U1")


async def test_nothing_is_learned_from_anybody_who_has_not_allowed_it(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    assert "is not used to make me better" in await told.open_home("U1")
    assert told.rows(CHOICES) == []
    await told.press_home("set_learning", "1", user="U1")
    assert told.rows(CHOICES) == [("U1", 1, None)]
    assert "may be used" in str(told.slack.homes["U1"])
    await told.press_home("set_learning", "0", user="U1")
    assert told.rows(CHOICES) == [("U1", 0, None)]


async def test_news_can_be_turned_on_and_off(house: House) -> None:
    told = await story(house)
    await told.press_home("news_off", "0", user="U1")
    assert told.rows(CHOICES) == [("U1", 0, 0)]
    await told.press_home("news_on", "1", user="U1")
    assert told.rows(CHOICES) == [("U1", 0, 1)]


async def test_a_long_history_and_queue_fit_into_app_home(house: House) -> None:
    told = await story(house)
    for n in range(12):
        _, turn_id = await told.ask(f"{CUP} {'&' * 290} {n}", user="U9")
        await told.rate(turn_id, "bad", user="U9")
        await told.submit({"answer": "<&> yes " * 370}, user="U9")
    said = await told.open_home("U9")
    assert "2 more are waiting." in said


async def test_forget_me_asks_first_and_says_what_was_done(each_transport: House) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "31 days."})
    home = str(await told.open_home("U1"))
    assert "'confirm':" in home
    await told.press_home("forget_me", "me", user="U1")
    said = str(told.slack.homes["U1"])
    assert "questions (1), ratings (1) and open proposals (1)" in said
    assert LEAVE not in said


async def test_forget_me_offers_to_delete_what_was_approved_too(each_transport: House) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    assert "my approved answers" not in await told.open_home("U1")
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "31 days."})
    (review,) = told.rows("SELECT id FROM reviews")[0]
    await told.press_home("approve_review", str(review), jobs=2)
    home = await told.open_home("U1")
    assert "Forget me and my approved answers" in home
    assert "given to nobody any more: 1." in home
    await told.press_home("forget_me", "and_approved", user="U1")
    assert told.rows("SELECT count(*) FROM curated") == [(0,)]
    said = str(told.slack.homes["U1"])
    assert "deleted, too (1)" in said
    assert "my approved answers" not in said


async def test_admins_see_how_well_the_week_went_and_can_ask_for_more(
    each_transport: House,
) -> None:
    told = await story(each_transport)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "good", user="U2")
    assert "How well I answer" not in await told.open_home("U1")
    told.slack.users["U9"]["is_admin"] = True
    said = await told.open_home("U9")
    assert "Last 7 days: questions 1, askers 1, answered 100%, rated helpful 100%." in said
    await told.press_home("run_status", "status", user="U9")
    assert "1 questions answered" in told.slack.posted("D9")[0]["text"]
