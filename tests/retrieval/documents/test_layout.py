"""Reading order: whatever stands where on a page, every word of it is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from retrieval.documents.loaders.pdf.layout import Text, elements_of
from retrieval.documents.loaders.pdf.ruled_tables import Line, tables_in
from retrieval.documents.loaders.pdf.words import Word

PLACES = st.integers(0, 60).map(lambda n: 10.0 * n)
WORDS = st.lists(
    st.builds(
        lambda text, x, y, width, height: Word(text, x, y, x + width, y + height, size=height),
        st.sampled_from(["Pump", "moves", "78", "1.", "•", "Water", "员工", "the", "of a house"]),
        PLACES,
        PLACES,
        st.sampled_from([0.0, 8.0, 30.0, 200.0]),
        st.sampled_from([0.0, 9.0, 11.0, 30.0]),
    ),
    max_size=40,
)
LINES = st.lists(
    st.builds(
        lambda is_upright, at, start, length: Line(is_upright, at, start, start + length),
        st.booleans(),
        PLACES,
        PLACES,
        st.sampled_from([100.0, 300.0, 600.0]),
    ),
    max_size=12,
)


def letters(texts: Sequence[str]) -> Counter[str]:
    return Counter(letter for text in texts for letter in text if not letter.isspace())


@given(WORDS, LINES)
def test_every_word_is_read_once(words: list[Word], lines: list[Line]) -> None:
    rest, placed = tables_in(words, lines)
    found: list[str] = []
    for element in elements_of([*rest, *placed]):
        if isinstance(element, Text):
            found.append(element.text)
        else:
            found += [cell for row in element.rows for cell in row]
    assert letters(found) == letters([word.text for word in words])


def test_a_heading_below_columns_belongs_to_the_text_below_it() -> None:
    def line(text: str, x: float, n: int, height: float = 10, width: float = 200) -> Word:
        return Word(text, x, 14.0 * n, x + width, 14.0 * n + height, size=height)

    left = [line("the pump moves water to the roof", 50, n) for n in range(6)]
    right = [line("and the hose waters all the garden", 300, n) for n in range(6)]
    below = line("a table of all things is as wide as this page", 50, 8, width=450)
    found = [*elements_of([*left, *right, line("Things", 50, 7, height=13, width=60), below])]
    texts = [element.text for element in found if isinstance(element, Text)]
    assert texts[-2:] == ["Things", below.text]
