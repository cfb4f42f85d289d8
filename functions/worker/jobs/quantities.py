"""Kubernetes' resource quantities as exact numbers."""

import re
from decimal import ROUND_UP, Context, Decimal
from typing import Final

_PATTERN_TEXT: Final = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_PATTERN: Final = re.compile(
    r"(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?P<suffix>[eEinumkKMGTP]*[-+]?[0-9]*)"
)
_EXPONENT: Final = re.compile(r"[eE](?P<exponent>[-+]?[0-9]{1,18})")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_SMALLEST: Final = Decimal("1e-9")
_LARGEST_EXPONENT: Final = 1000  # beyond it all quantities are equally absurd


class InvalidQuantity(ValueError):
    """Not a quantity; the text is Kubernetes' own."""


def parse(text: str) -> Decimal:
    """Cores for a CPU quantity, bytes for a memory quantity; raises InvalidQuantity.

    As in Kubernetes, what is finer than a billionth is rounded away from zero.
    """
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise InvalidQuantity(f"quantities must match the regular expression '{_PATTERN_TEXT}'")
    context = Context(prec=len(text) + _LARGEST_EXPONENT + 100)
    number, suffix = Decimal(found["number"]), found["suffix"]
    if suffix in _DECIMAL:
        amount = number.scaleb(_DECIMAL[suffix], context)
    elif suffix in _BINARY:
        amount = context.multiply(number, Decimal(1024 ** _BINARY[suffix]))
    elif exponent := _EXPONENT.fullmatch(suffix):
        amount = number.scaleb(_clamped(int(exponent["exponent"])), context)
    else:
        raise InvalidQuantity("unable to parse quantity's suffix")
    return amount.quantize(_SMALLEST, ROUND_UP, context).normalize(context)


def _clamped(exponent: int) -> int:
    return max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, exponent))
