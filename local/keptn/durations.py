"""Go's durations, as `triggeredAfter` takes them."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class InvalidDuration(Exception):
    """Not a Go duration."""


def seconds(text: str) -> float:
    """The seconds in a duration such as `1m30s`; `0` needs no unit.

    Raises InvalidDuration.
    """
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text.lstrip("+-") if len(text) > 1 else text
    if digits == "0":
        return 0.0
    parts = _PART.findall(digits)
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        raise InvalidDuration(f'time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
