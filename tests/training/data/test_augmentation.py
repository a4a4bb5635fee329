from __future__ import annotations

from dataclasses import replace

from retrieval.examples import Example
from training.data.augmentation import Augmentation, noise_told
from training.data.labelled_queries import LabelledQuery
from training.data.noise import keeps_meaning

QUESTIONS = [f"Where do I find the manual of machine {n} in the archive?" for n in range(20)]
EXAMPLES = [
    Example(str(n), "judgement", text, "en", (), "votes", "2026-01-02", is_good=n % 2 == 0)
    for n, text in enumerate(QUESTIONS)
]


def test_a_twin_has_the_label_of_its_original_and_is_in_its_cluster() -> None:
    examples = [replace(EXAMPLES[0], cluster="c"), *EXAMPLES[1:]]
    twins = Augmentation().of_examples(examples)
    assert len(twins) == len(examples)
    assert [twin.is_good for twin in twins] == [example.is_good for example in examples]
    assert [twin.cluster for twin in twins] == ["c", *QUESTIONS[1:]]
    assert not {twin.id for twin in twins} & {example.id for example in examples}


def test_a_twin_asks_the_same_in_another_way() -> None:
    for text in QUESTIONS:
        twin = Augmentation().twin(text)
        assert twin != text
        assert keeps_meaning(text, twin)


def test_the_same_seed_makes_the_same_twins_whatever_else_there_is() -> None:
    first, again = (Augmentation(seed=3).of_examples(some) for some in (EXAMPLES, EXAMPLES[5:]))
    assert first[5:] == again
    assert Augmentation(seed=4).of_examples(EXAMPLES) != first


def test_the_twin_of_a_query_has_its_passages() -> None:
    (twin,) = Augmentation().of_queries([LabelledQuery(QUESTIONS[0], "en", (3, 4))])
    assert twin.rows == (3, 4)
    assert twin.question != QUESTIONS[0]


def test_what_no_noise_can_change_has_no_twin() -> None:
    assert Augmentation(kinds=("mixed",)).of_queries([LabelledQuery("zorbel", "en", ())]) == []


def test_a_runs_card_says_what_was_learned_from() -> None:
    assert noise_told(Augmentation()) == {"augment": "typos, careless, paraphrase, mixed"}
    assert noise_told(None) == {}
