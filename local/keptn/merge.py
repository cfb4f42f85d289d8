"""How Keptn merges what finished tasks report into the data of the next one (since 0.14)."""

from typing import Any


def merge(first: Any, second: Any) -> Any:
    """Merge `second` into `first` as Keptn's `Merge` does, changing neither.

    Objects are merged deeply. A later string or another type wins, and a null empties a string.
    Arrays are concatenated, the later one first, so an echoed array doubles. Of two numbers or
    booleans the *first* stays: a later task cannot change one that is already there.
    """
    match first:
        case dict():
            return _merge_objects(first, second)
        case list():
            if second is None:
                return first
            return second + first if isinstance(second, list) else second
        case str():
            return "" if second is None else second
        case None:
            return second
        case _:
            return first


def _merge_objects(first: dict[str, Any], second: Any) -> Any:
    if second is None:
        return first
    if not isinstance(second, dict):
        return second
    merged = dict(first)
    for key, value in second.items():
        known = merged.get(key)
        merged[key] = value if known is None else merge(known, value)
    return merged
