r"""What gopkg.in/yaml.v2 takes and libyaml refuses, spelled so that libyaml takes it as well.

The two differ in YAML as people write it by hand: in `[-H, Accept:]` and `{name: a:}` the colon is part of
the text there, and in double quotes `\'` is `'`. libyaml says exactly where it refuses either, and is asked
again.
"""

import re
from typing import Final

from yaml import MarkedYAMLError, YAMLError
from yaml._yaml import CParser

STAND_IN: Final = "\ue000"
"""For a colon; of Unicode's private use, so that it stands in no file by itself."""

MAX_READ: Final = 64 * 1024 * 1024
"""Bytes for libyaml to read altogether, which takes it a second."""

_BEGIN: Final = r"(?<![^\s,\[{?])"
_WORD: Final = r"\w[^\s,\[\]{}'\"]*"
"""Most words before such a colon, to find all at one go; one that is no text by itself is within another."""
_END: Final = r"(?=[,\]}])"

_COLON: Final = "found unexpected ':'"
_ESCAPE: Final = "found unknown escape character"


def for_libyaml(raw: bytes) -> str | None:
    """A file that libyaml refuses, as it was line by line, with STAND_IN for some of its colons.

    What else is wrong with it stays so. None where no other spelling would help.
    """
    text = original = _decoded(raw)
    if text is None or STAND_IN in text:
        return None
    for _ in range(MAX_READ // len(raw)):
        try:
            CParser(text).raw_parse()
            break
        except MarkedYAMLError as error:
            changed = _spelled_otherwise(text, error)
            if changed == text:
                break
            text = changed
        except (YAMLError, UnicodeDecodeError):
            break
    return None if text == original else text


def _decoded(raw: bytes) -> str | None:
    """The characters that libyaml counts."""
    is_utf_16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def _spelled_otherwise(text: str, error: MarkedYAMLError) -> str:
    begin, mark = error.context_mark, error.problem_mark
    if begin is None or mark is None:
        return text
    if error.problem == _ESCAPE and text.startswith(r"\'", mark.index):
        return text[: mark.index] + text[mark.index + 1 :]
    if error.problem == _COLON and text.startswith((":,", ":]", ":}"), mark.index):
        word = re.escape(text[begin.index : mark.index])
        return re.sub(_BEGIN + f"(?:{word}|{_WORD}):" + _END, lambda found: found[0][:-1] + STAND_IN, text)
    return text
