"""Files attached to a question."""

from __future__ import annotations

import pytest

from bot.asking.attachments import unread_note
from bot.strings import strings_for
from retrieval.documents.loaders import ocr
from retrieval.records import Message
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.retrieval.sample_pictures import drawn, encoded
from tests.slack_server import direct_message, event
from tests.slack_streams import Json

needs_ocr = pytest.mark.skipif(not ocr.IS_INSTALLED, reason="OCR is not installed")


def attached(house: House, name: str, data: bytes, **more: object) -> Json:
    house.slack.files[name] = data
    told = {"id": "F1", "name": name, "size": len(data), "url_private": house.slack.file_url(name)}
    return told | more


async def ask(house: House, text: str, *files: Json) -> tuple[SentenceAnswerer, str]:
    """Ask with files; what was asked with, and the answer's blocks."""
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    said = direct_message(text, ts="1.0", subtype="file_share", files=list(files))
    await house.slack.deliver(event(said, "Ev1"))
    await settled(bot)
    return answerer, str(house.slack.posted("D1")[0]["blocks"])


async def test_a_text_file_joins_the_question_and_the_card_says_so(each_transport: House) -> None:
    file = attached(each_transport, "letter.txt", b"My  leave\nis 30 days.")
    answerer, card = await ask(each_transport, "Is this right?", file)
    assert answerer.asked[0].history == (Message("user", "My leave is 30 days."),)
    assert "Read with the question: letter.txt" in card
    assert each_transport.slack.file_tokens == ["Bearer xoxb-test"]


async def test_a_file_without_a_word_is_the_question(house: House) -> None:
    file = attached(house, "question.md", b"How many days of leave do I have?")
    answerer, card = await ask(house, "", file)
    (request,) = answerer.asked
    assert (request.text, request.history) == ("How many days of leave do I have?", ())
    assert "Read with the question: question.md" in card


@pytest.mark.parametrize(
    "text", ["See file", "Please see the attached file.", "见附件", "看下文件"]
)
async def test_words_that_only_point_at_a_file_are_not_the_question(
    house: House, text: str
) -> None:
    file = attached(house, "question.md", b"How many days of leave do I have?")
    answerer, _ = await ask(house, text, file)
    (request,) = answerer.asked
    assert (request.text, request.history) == ("How many days of leave do I have?", ())


@pytest.mark.parametrize("text", ["Is this file right?", "What is in the file?", "这份文件对吗？"])
async def test_words_that_ask_something_of_a_file_are_the_question(house: House, text: str) -> None:
    answerer, _ = await ask(house, text, attached(house, "letter.txt", b"My leave is 30 days."))
    (request,) = answerer.asked
    assert request.text == text
    assert len(request.history) == 1


async def test_only_the_beginning_of_a_long_file_is_read(house: House) -> None:
    answerer, _ = await ask(house, "Leave?", attached(house, "log.txt", b"leave " * 9_999))
    assert len(answerer.asked[0].history[0].text) <= 800


@pytest.mark.parametrize(
    ("name", "data"),
    [("photo.png", b"\x89PNG"), ("broken.pdf", b"no pdf"), ("empty.txt", b""), ("x.exe", b"MZ")],
)
async def test_what_could_not_be_read_is_named(house: House, name: str, data: bytes) -> None:
    answerer, card = await ask(house, "How much leave is there?", attached(house, name, data))
    assert answerer.asked[0].history == ()
    assert f"Not read: {name}" in card


@needs_ocr
@pytest.mark.slow
async def test_the_words_in_a_picture_join_the_question_and_are_marked(house: House) -> None:
    file = attached(house, "letter.png", encoded(drawn(["My leave is 30 days."])))
    answerer, card = await ask(house, "Is this right?", file)
    assert answerer.asked[0].history == (Message("user", "My leave is 30 days."),)
    assert "Read with the question: letter.png (OCR)" in card


@needs_ocr
@pytest.mark.slow
async def test_a_picture_of_a_question_is_the_question(house: House) -> None:
    file = attached(house, "image.png", encoded(drawn(["How much leave is there?"])))
    answerer, _ = await ask(house, "", file)
    assert answerer.asked[0].text == "How much leave is there?"


@pytest.mark.parametrize(("name", "has_reason"), [("photo.PNG", True), ("x.exe", False)])
def test_pictures_are_said_to_be_unreadable_where_they_are(name: str, has_reason: bool) -> None:
    strings = strings_for("en")
    note = unread_note([name], name, strings)
    assert (strings.asking.attachment_picture in note) == (has_reason and not ocr.IS_INSTALLED)


async def test_a_picture_alone_is_answered_with_what_we_can_do(house: House) -> None:
    _, card = await ask(house, "", attached(house, "photo.png", b"\x89PNG"))
    assert "Ask me a question" in card
    assert "Not read: photo.png" in card


async def test_a_file_that_is_too_large_is_not_fetched(house: House) -> None:
    await ask(house, "Leave?", attached(house, "big.txt", b"x", size=6 * 2**20))
    assert house.slack.file_tokens == []


async def test_a_file_that_lies_about_its_size_is_not_read_to_its_end(house: House) -> None:
    file = attached(house, "big.txt", b"x" * (6 * 2**20), size=1)
    _, card = await ask(house, "How much leave is there?", file)
    assert "Not read: big.txt" in card


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/letter.txt",
        "https://slack.com.evil.example/letter.txt",
        "http://files.slack.com/letter.txt",
        "http://slack.com/letter.txt",
        "https://evilslack.com/letter.txt",
        "file:///etc/passwd",
        "https://files.slack.com@evil.example/letter.txt",
        "",
    ],
)
async def test_the_token_goes_to_slack_alone(house: House, url: str) -> None:
    file = attached(house, "letter.txt", b"leave", url_private=url)
    _, card = await ask(house, "How much leave is there?", file)
    assert "Not read: letter.txt" in card


async def test_a_redirect_is_not_followed(house: House) -> None:
    file = attached(house, "letter.txt", b"leave", url_private=house.slack.file_url("elsewhere"))
    _, card = await ask(house, "How much leave is there?", file)
    assert "Not read: letter.txt" in card


async def test_a_name_cannot_ping_or_break_the_card(house: House) -> None:
    file = attached(house, "<!channel>.png", b"x")
    _, card = await ask(house, "How much leave is there?", file)
    assert "<!channel>" not in card
