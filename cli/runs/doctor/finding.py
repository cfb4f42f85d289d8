"""What a check finds: that something is in order, that it is not, or that nobody can tell."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's; where something is to be done, the sentence says what."""

    subject: str
    sentence: str
    is_problem: bool = False
    is_unknown: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether it was seen to be in order."""
        return not self.is_problem and not self.is_unknown

    @property
    def mark(self) -> str:
        """How the line begins."""
        return "✗" if self.is_problem else "?" if self.is_unknown else "✓"


def fine(subject: str, sentence: str) -> Finding:
    """It is in order."""
    return Finding(subject, sentence)


def problem(subject: str, sentence: str) -> Finding:
    """It is not, and the sentence says what to do."""
    return Finding(subject, sentence, is_problem=True)


def unknown(subject: str, sentence: str) -> Finding:
    """It could not be checked."""
    return Finding(subject, sentence, is_unknown=True)
