"""Kubernetes' quantities."""

from decimal import Decimal

import pytest

from jobs import quantities
from jobs.quantities import InvalidQuantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", "1"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+2", "2"),
        ("-1", "-1"),
        ("500m", "0.5"),
        ("50m", "0.05"),
        ("1n", "0.000000001"),
        ("0.1n", "0.000000001"),
        ("3u", "0.000003"),
        ("2k", "2000"),
        ("1M", "1000000"),
        ("1G", "1000000000"),
        ("1T", "1000000000000"),
        ("1P", "1000000000000000"),
        ("1E", "1000000000000000000"),
        ("1Ki", "1024"),
        ("512Mi", "536870912"),
        ("1.5Gi", "1610612736"),
        ("1Ti", "1099511627776"),
        ("1Pi", "1125899906842624"),
        ("1Ei", "1152921504606846976"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E+3", "1000"),
        ("15e-1", "1.5"),
    ],
)
def test_a_quantity_is_an_exact_number(text: str, amount: str) -> None:
    assert quantities.parse(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "a lot", "Mi", ".", " 1", "1 ", "1,5", "1 Gi", "1.2.3", "٣", "1\n"])
def test_what_is_no_number_names_the_expression_it_must_match(text: str) -> None:
    with pytest.raises(InvalidQuantity) as caught:
        quantities.parse(text)
    expression = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
    assert str(caught.value) == f"quantities must match the regular expression '{expression}'"


@pytest.mark.parametrize("text", ["1K", "1mi", "1MM", "1i", "1e", "1eE3", "1e99999999999999999999"])
def test_an_unknown_suffix_is_named_as_such(text: str) -> None:
    with pytest.raises(InvalidQuantity) as caught:
        quantities.parse(text)
    assert str(caught.value) == "unable to parse quantity's suffix"


@pytest.mark.parametrize("text", ["1e999999999999999999", "1e-999999999999999999", "9" * 10_000 + "Ei"])
def test_an_absurd_quantity_costs_nothing(text: str) -> None:
    assert quantities.parse(text) > 0
