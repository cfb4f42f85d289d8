"""Lines for people on a terminal: aligned, with a little colour where there is a terminal to show it."""

from collections.abc import Mapping
from typing import TextIO

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35"}


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to write colours: to a terminal only, and not against the user's will (see no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Screen:
    """Writes to a stream, a line at a time."""

    def __init__(self, stream: TextIO, *, colour: bool = False) -> None:
        self._stream = stream
        self._colour = colour

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line."""
        print(self.paint(text, style), file=self._stream, flush=True)

    def row(self, time: str, who: str, what: str, kind: str, message: str, *, style: str = "") -> None:
        """Write a line of the flow of events; `style` is that of what is said."""
        said = self.paint(f"{what:<13}  {kind:<14}  {message}".rstrip(), style)
        self.say(f"{self.paint(time, 'dim')}  {self.paint(f'{who:<5}', 'bold')}  {said}")

    def paint(self, text: str, style: str) -> str:
        """The text in a style, where there are any."""
        return f"\033[{STYLES[style]}m{text}\033[0m" if self._colour and style and text else text
