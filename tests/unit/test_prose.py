"""Pages, descriptions of parameters and messages are in plain English, as far as a program can tell."""

import pytest

from tools.prose import LONGEST, Sentence, found, sentences


def test_every_sentence_that_people_read_is_short_and_has_the_fields_words() -> None:
    assert [f"{each.place}: {each.trouble}: {each.text}" for each in found()] == []


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (f"{'word ' * LONGEST}too many.", f"has {LONGEST + 2} words"),
        ("Mend the parameter.", "says “Mend”"),
        ("What certainly did not arrive may be sent again.", "begins with a clause"),
        ("What does a plane cost?", ""),
        ("Set `mend` to true.", ""),
        (f"Run `{'word ' * LONGEST}` here.", ""),
    ],
)
def test_a_sentence_that_people_read_twice_is_found(text: str, trouble: str) -> None:
    (sentence,) = sentences("page", text)

    assert sentence.trouble == trouble


def test_a_semicolon_ends_a_sentence_and_an_abbreviation_does_not() -> None:
    text = "It stops; nothing is lost. That holds, e.g. here."

    assert list(sentences("page", text)) == [
        Sentence("page", "It stops;"),
        Sentence("page", "nothing is lost."),
        Sentence("page", "That holds, e.g. here."),
    ]
