"""Makes an HTTP call, and takes the status of its answer for the task's outcome."""

from collections.abc import Callable
from functools import partial
from typing import Final

from execution_plane.keptn.connecting import retry_after
from execution_plane.keptn.events import Outcome
from execution_plane.telemetry import logger
from jobs.environment import InvalidEnvironment, Secrets, environment
from jobs.model import HttpCall, Task
from runners.allowlists import Allowed, awaited
from runners.backoff import backoff
from runners.cancel_scope import CancelScope, DeadlineOver
from runners.fields import log_meaningless
from runners.http.exchange import ExchangeFailed, HttpResponse, Request
from runners.http.reachable import AllowedHosts
from runners.http.request import UnusableCall, request_of, secret_forms
from runners.http.shown import text_of
from runners.task_secrets import SecretUnusable, masked
from runs.work import TaskContext

MEANINGFUL: Final = frozenset({"name", "http", "env", "maxPollDuration", "onError"})
DEFAULT_SECONDS: Final = 60  # for a call whose task has no maxPollDuration
SHOWN: Final = 4096  # bytes of an answer
LONGEST_PART: Final = 300  # characters of a URL or a reason in a message
PASSING: Final = ("2xx",)
MOST_TRIES: Final = 4  # of an idempotent call
BUSY: Final = 429
UNAVAILABLE: Final = 503

Exchange = Callable[[Request, CancelScope], HttpResponse]
"""Sends a request once. Raises ExchangeFailed, TaskCancelled."""


class HttpRunner:
    """Runs tasks whose kind is `http`.

    A host that is not allowed fails only its own task: planes that share a job config may allow others.
    """

    def __init__(
        self,
        allowed: Allowed,
        exchange: Exchange,
        secrets: Secrets,
        *,
        allow_secret_references: bool = False,
    ) -> None:
        self._allowed = allowed
        self._exchange = exchange
        self._secrets = secrets
        self._allow_secret_references = allow_secret_references

    def run(self, task: Task, context: TaskContext) -> Outcome:
        """Make the call, at most once unless it is idempotent, and wait for its answer.

        Raises TaskCancelled, TaskUnusable.

        The values of the task's secrets stand in nothing that is said of it.
        """
        assert task.http is not None
        log_meaningless(task, MEANINGFUL, context)
        try:
            made = environment(
                task,
                context.event.attributes,
                self._secrets,
                allow_secret_references=self._allow_secret_references,
            )
            request = request_of(task.http, made)
        except (InvalidEnvironment, SecretUnusable, UnusableCall) as problem:
            return Outcome.errored(f"The HTTP call could not be made ready: {problem}")
        deadline = context.deadline
        if "maxPollDuration" not in task.given:
            deadline = deadline.no_later_than(DEFAULT_SECONDS)
        scope = CancelScope(deadline, context.still_wanted)
        allowed = AllowedHosts(awaited(self._allowed, scope).hosts)
        if not allowed.allow(request.host, request.port):
            return Outcome.errored(
                f"The host {request.host}, port {request.port}, is not among those that this plane may call "
                f"(AllowedHosts: {allowed})."
            )
        mask = partial(masked, secrets=secret_forms(made))
        outcome = self._call(task.http, request, scope, mask)
        logger.info(
            "http call",
            event_id=context.event.ref.id,
            task=task.name,
            method=request.method,
            host=request.host,
            result=outcome.result,
        )
        return outcome

    def _call(
        self, call: HttpCall, request: Request, scope: CancelScope, mask: Callable[[str], str]
    ) -> Outcome:
        """Make the call until it is answered: again after 429, by which the host says that nothing began, and
        if it is idempotent, a few times after what else another try may help.
        """
        what, tries_left = _shortened(mask(str(request))), MOST_TRIES - 1 if call.idempotent else 0
        for pause in backoff():
            wish = 0.0
            try:
                answer = self._exchange(request, scope)
            except ExchangeFailed as problem:
                outcome, may_help, is_refused = _failed(what, problem, mask), True, False
            else:
                outcome, may_help = _answered(what, call, answer, mask)
                is_refused = may_help and answer.status == BUSY
                if answer.status in (BUSY, UNAVAILABLE):
                    wish = retry_after(answer.headers.get("Retry-After"), scope.deadline.clock.now())
            if not is_refused:
                if not may_help or not tries_left:
                    break
                tries_left -= 1
            if scope.deadline.remaining() <= pause + wish:
                break
            try:
                scope.pause(pause + wish)
            except DeadlineOver:
                break
        return outcome


def _failed(what: str, problem: ExchangeFailed, mask: Callable[[str], str]) -> Outcome:
    effect = "Whether it had an effect is not known." if problem.was_sent else "Nothing was sent."
    return Outcome.errored(f"{what}: {_shortened(mask(str(problem)))}. {effect}")


def _answered(
    what: str, call: HttpCall, answer: HttpResponse, mask: Callable[[str], str]
) -> tuple[Outcome, bool]:
    """What an answer comes to, and whether another try may help."""
    status = f"{answer.status} {_shortened(mask(answer.reason))}".rstrip()
    message = f"{what} was answered with {status}"
    passes = call.statuses or PASSING
    if {str(answer.status), f"{answer.status // 100}xx"} & set(passes):
        return Outcome("pass", "succeeded", f"{message}{_beginning(answer, mask)}"), False
    message += f", and what passes is {', '.join(passes)}"
    if location := answer.headers.get("Location"):
        message += f"; redirects are not followed, and it leads to {_shortened(mask(location))}"
    may_help = answer.status >= 500 or answer.status == BUSY
    return Outcome.errored(f"{message}{_beginning(answer, mask)}"), may_help


def _beginning(answer: HttpResponse, mask: Callable[[str], str]) -> str:
    """How an answer begins, as the end of a message."""
    body = answer.body
    if not body:
        return "."
    text = text_of(body, answer.headers)
    if not text:
        return f", with {len(body)} bytes that are no text."
    shown = mask(text).encode()
    if len(shown) <= SHOWN:
        return f":\n{shown.decode()}"
    return f", with {len(body)} bytes, which begin with:\n{shown[:SHOWN].decode('utf-8', 'ignore')}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART - 1]}…"
