"""How Go prints a decoded JSON value: job configs written for the job executor rely on it.

The job executor puts event data into variables with Go's `fmt` verb `%v`, and its JSONPath library turns
map keys into text with it. JSON numbers are always float64 there, so an `int` is printed as one too.
"""

import math


def go_text(value: object) -> str:
    """`value` as Go's `%v` prints it: `1e+06`, `<nil>`, `[a b]`, `map[k:v]`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return float_text(as_float64(value), exponent_below=-4, exponent_from=6)
    if isinstance(value, list):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    return str(value)


def go_type(value: object) -> str:
    """The name of `value`'s type in Go's error texts (`%T`)."""
    if value is None:
        return "<nil>"
    names = {bool: "bool", str: "string", int: "float64", float: "float64"}
    names |= {list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), type(value).__name__)


def as_float64(number: float) -> float:
    """`number` as a float64; an integer beyond its range becomes an infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def float_text(number: float, *, exponent_below: int, exponent_from: int) -> str:
    """The shortest digits that read back as `number`.

    They are written with an exponent when the decimal exponent is less than `exponent_below` or at least
    `exponent_from`: -4 and 6 for `%v`, -6 and 21 for `encoding/json`.
    """
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    sign = "-" if math.copysign(1, number) < 0 else ""
    digits, exponent = _shortest_digits(abs(number))
    if exponent < exponent_below or exponent >= exponent_from:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _shortest_digits(number: float) -> tuple[str, int]:
    """Significant digits and decimal exponent: 1234.5 is ("12345", 3)."""
    mantissa, _, exponent_text = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(exponent_text or "0") + len(whole) - 1
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0", 0
    return digits.rstrip("0"), exponent - (len(whole + fraction) - len(digits))
