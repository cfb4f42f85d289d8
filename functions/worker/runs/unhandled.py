"""Events that no action of a job config handles: said once for each job config and type."""

from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.uniform import LogEntry
from execution_plane.telemetry import logger

REMEMBERED = 1000  # job configs and types
ADVICE = (
    "if no other plane takes it, Keptn gives up on it after ten minutes; AnswerUnhandledEvents=true ends it "
    "at once, as errored"
)


class UnhandledEvents:
    """Tells the log and the Bridge of what nothing here handles; a user waits for it, and sees nothing."""

    def __init__(self, errors: ErrorLog) -> None:
        self._errors = errors
        self._told: set[tuple[str, str]] = set()

    def note(self, ref: EventRef, job_config: str) -> None:
        """`job_config` says which one has no action for the event, and where it is."""
        key = (job_config, ref.type)
        if key in self._told or len(self._told) == REMEMBERED:
            return
        self._told.add(key)
        logger.warning(
            f"no action handles events of this type: {ADVICE}", type=ref.type, job_config=job_config
        )
        self._errors.note(LogEntry(f"No action of {job_config} handles a {ref.type}: {ADVICE}."))
