"""`$(VAR)` by Kubernetes' rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.expansion import expand

VARIABLES = {"A": "x", "EMPTY": "", "REF": "$(A)", "MONEY": "$$", "foo": "f"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "x"),
        ("$(A)-$(A)", "x-x"),
        ("-$(EMPTY)-", "--"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$x"),
        ("$$$$$$$(A)", "$$$x"),
        ("$$", "$"),
        ("$$A", "$A"),
        ("$(NOPE)", "$(NOPE)"),
        ("$()", "$()"),
        ("foo$(A", "foo$(A"),
        ("$(A)$(A", "x$(A"),
        ("$X", "$X"),
        ("${A}", "${A}"),
        ("$(foo$$var)", "$(foo$$var)"),
        ("$(A$(A))", "$(A$(A))"),
        ("$$(A", "$(A"),
        ("$(A$X)", "$(A$X)"),
        ("$(a)", "$(a)"),
        ("$( A )", "$( A )"),
        ("\\$(A)", "\\x"),
        ("trailing$", "trailing$"),
        ("$", "$"),
        ("$(REF)", "$(A)"),
        ("$(MONEY)(A)", "$$(A)"),
        (") $(A)", ") x"),
    ],
)
def test_a_reference_is_expanded_once(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES.get) == expanded


def model(text: str) -> str:
    """Another way to say it: a dollar sign begins `$$`, `$(...)`, or nothing."""

    def replacement(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        return VARIABLES.get(found["name"], found[0])

    return re.sub(r"\$(?:\$|\((?P<name>[^)]*)\))", replacement, text)


@given(st.lists(st.sampled_from(["$", "(", ")", "A", "REF", "{", "}", "$(A)", "$$", "x", "\n"])).map("".join))
def test_expansion_agrees_with_a_simple_model(text: str) -> None:
    assert expand(text, VARIABLES.get) == model(text)


@given(st.text())
def test_a_text_without_dollar_signs_stays_as_it_is(text: str) -> None:
    plain = text.replace("$", "")
    assert expand(plain, VARIABLES.get) == plain
