from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import RetrievalError
from retrieval.search.embedding import Embedder, prefixes_of
from retrieval.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def embedder(models_home: Path) -> Embedder:
    return Embedder.load(Settings(home=models_home))


def test_a_chinese_question_finds_the_chinese_passage_that_answers_it(embedder: Embedder) -> None:
    passages = ["食堂中午十二点开门。", "报销必须在三十天内提交。", "员工每年有十五天年假。"]
    scores = embedder.embed_passages(passages) @ embedder.embed_query("我一年可以休几天假？").T
    assert int(scores.argmax()) == 2


def test_an_english_question_finds_the_passage_that_answers_it(embedder: Embedder) -> None:
    passages = ["The canteen opens at noon.", "Every employee has 15 days of paid leave a year."]
    scores = (
        embedder.embed_passages(passages) @ embedder.embed_query("How much holiday do I get?").T
    )
    assert int(scores.argmax()) == 1


def test_vectors_keep_the_order_of_the_texts_and_have_length_one(embedder: Embedder) -> None:
    texts = ["short", "a much longer text about leave " * 20, "middle sized text"]
    together = embedder.embed_passages(texts)
    apart = np.concatenate([embedder.embed_passages([text]) for text in texts])
    assert (together * apart).sum(axis=1) == pytest.approx(1, abs=0.01)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)


def test_queries_embedded_together_are_those_embedded_one_by_one(embedder: Embedder) -> None:
    queries = ["How much holiday do I get?", "出差的费用怎么报销？", "Who repairs printers?"]
    apart = np.concatenate([embedder.embed_query(query) for query in queries])
    together = embedder.embed_queries(queries)
    assert (together * apart).sum(axis=1) == pytest.approx(1, abs=0.01)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)


def test_batches_are_reported_until_every_text_is_done(embedder: Embedder) -> None:
    done: list[int] = []
    embedder.embed_passages(["word " * 300] * 9, on_batch=done.append)
    assert done[-1] == 9
    assert len(done) > 1
    assert done == sorted(done)


def test_a_text_beyond_the_models_window_is_cut(embedder: Embedder) -> None:
    long = "leave " * embedder.max_tokens
    vectors = embedder.embed_passages([long, long + "and something else entirely"])
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-4)


def test_token_spans_cover_long_and_chinese_texts_without_a_cut(embedder: Embedder) -> None:
    text = "年假 leave " * embedder.max_tokens
    spans = embedder.token_spans(text)
    assert len(spans) > embedder.max_tokens
    assert {text[start:end].strip() for start, end in spans} <= {"", "年", "假", "年假", "leave"}


def test_vectors_that_are_no_numbers_are_refused(embedder: Embedder) -> None:
    weight = next(embedder._model.parameters())
    kept = weight.data.clone()
    weight.data.fill_(float("nan"))
    try:
        with pytest.raises(RetrievalError, match="not finite"):
            embedder.embed_query("anything")
    finally:
        weight.data.copy_(kept)


def test_a_folders_own_prompts_come_before_those_of_its_family() -> None:
    own = {"query": "ask: ", "document": "tell: "}
    assert prefixes_of("intfloat/e5-small-v2", own) == ("ask: ", "tell: ")


def test_well_known_families_get_the_prefixes_they_were_trained_with() -> None:
    assert prefixes_of("intfloat/multilingual-e5-base@main", {}) == ("query: ", "passage: ")
    assert prefixes_of("BAAI/bge-m3", {"query": "", "document": ""}) == ("", "")
