"""Whether a sequence was served as it ought to be: by the right plane, once, and to the right end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.keptn.events import Event, kind_of


@dataclass(frozen=True)
class Served:
    """What the control plane and the planes' ledgers say of a sequence when it is over."""

    location: str
    source: str
    """Of the plane that was meant."""
    state: str
    """Of the sequence."""
    counts: tuple[int, int]
    """Keptn's own, of started and finished."""
    replies: Sequence[Event]
    """All that came in about the task, oldest first."""
    runs: Mapping[str, str]
    """The state of the task's run in each plane's ledger, by the plane's location, where there is one."""
    greeting: str = ""
    """What the finished is to say, where it is not what the example task says."""

    @property
    def sources(self) -> list[str]:
        """Who answered."""
        return sorted({str(event["source"]) for event in self.replies})


def problems(served: Served) -> list[str]:
    """What is wrong with it, a sentence each."""
    name = f"the {served.location} sequence"
    kinds = [kind_of(event["type"]) for event in served.replies]
    end = served.replies[-1]["data"] if kinds and kinds[-1] == "finished" else {}
    message, result, status = (end.get(key) for key in ("message", "result", "status"))
    started, finished = served.counts
    wanted = served.greeting or f"Hello, world from {served.location}!"
    checks = (
        (served.state == "finished", f"{name} is {served.state}, not finished"),
        (
            served.counts == (1, 1),
            f"Keptn counted {started} started and {finished} finished for {name}, not one each",
        ),
        (
            served.sources == [served.source],
            f"{name} was answered by {', '.join(served.sources) or 'nobody'}, not by {served.source} alone",
        ),
        ("changed" in kinds, f"{name} has no status.changed"),
        (
            (message, result, status) == (wanted, "pass", "succeeded"),
            f"{name} ended with {message!r} ({result}, {status}), not with {wanted!r} (pass, succeeded)",
        ),
        (
            served.runs == {served.location: "closed"},
            f"the ledgers hold {dict(served.runs)} for {name}, not one closed run of {served.location}",
        ),
    )
    return [sentence for is_well, sentence in checks if not is_well]
