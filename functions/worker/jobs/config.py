"""Reads a `job/config.yaml` and finds every problem in it before anything runs.

Some that the job executor finds only when a task begins, or never, are found here too. A pattern or JSONPath
that decides which events an action is for refuses the file, since nobody can know what it was meant to match.
What is wrong with a task refuses its action: another plane, with other rules, may be the one to run it.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, get_args

from jobs.fields import API_VERSION, job_config_fields, path_problem
from jobs.http_fields import http_call
from jobs.matching import names
from jobs.model import (
    DEFAULT_MAX_POLL_DURATION,
    Action,
    Amounts,
    Env,
    EventFilter,
    JobConfig,
    Kind,
    OnError,
    Resources,
    Rules,
    SecretKey,
    SecurityContext,
    Task,
    ValueFrom,
)
from jobs.schema import Path, Problem, Reading, Struct, TooLarge, shown, struct
from jobs.secret_fields import image_pull_secret, secret_files
from jobs.yaml_reader import InvalidYaml, compose

__all__ = [
    "Action",
    "Amounts",
    "Env",
    "EventFilter",
    "InvalidJobConfig",
    "JobConfig",
    "Kind",
    "OnError",
    "Problem",
    "Resources",
    "Rules",
    "SecurityContext",
    "Task",
    "ValueFrom",
    "read",
    "read_for_matching",
]

_KINDS: Final[tuple[str, ...]] = get_args(Kind)
_SOURCES: Final[tuple[str, ...]] = get_args(ValueFrom)

LISTED_PROBLEMS: Final = 50
"""So many stand in the text of InvalidJobConfig, which goes into a Keptn event; `problems` has them all."""


class InvalidJobConfig(Exception):
    """A job config that can't be run. The text has one line per problem, in the order of the file."""

    def __init__(self, problems: Iterable[Problem], event_names: Iterable[str] | None = None) -> None:
        """`event_names` are the patterns of all its actions, None where that is not known."""
        self.problems = tuple(sorted(problems))
        self._event_names = None if event_names is None else frozenset(event_names)
        lines = [str(problem) for problem in self.problems[:LISTED_PROBLEMS]]
        if len(self.problems) > LISTED_PROBLEMS:
            lines.append(f"and {len(self.problems) - LISTED_PROBLEMS} problems more")
        super().__init__("\n".join(lines))

    def may_concern(self, event_type: str) -> bool:
        """Whether an action may be for events of the type, as far as the file can be read."""
        return self._event_names is None or any(names(each, event_type) for each in self._event_names)


def read(raw: bytes, *, origin: str, rules: Rules) -> JobConfig:
    """The job config in a file's bytes, if all of it can be run; only its first YAML document counts.

    `origin` says in messages which file it is. Raises InvalidJobConfig, and nothing else, with all problems.
    """
    config = read_for_matching(raw, origin=origin, rules=rules)
    if objections := [each for action in config.actions for each in action.objections]:
        raise InvalidJobConfig(objections)
    return config


def read_for_matching(raw: bytes, *, origin: str, rules: Rules) -> JobConfig:
    """The same, with objections to such of its actions as can't be run.

    Raises InvalidJobConfig, and nothing else, with all problems.
    """
    reading = Reading(origin)
    config = JobConfig()
    try:
        config = _read(reading, raw, rules)
    except InvalidYaml as error:
        reading.problem(error.line, (), f"not a YAML document: {error.reason}")
    except TooLarge as error:
        reading.problem(error.line, (), str(error))
    if reading.problems:
        objections = chain.from_iterable(reading.objections.values())
        names_of_events = (event.name for action in config.actions for event in action.events)
        raise InvalidJobConfig(
            chain(reading.problems, objections), names_of_events if reading.knows_events else None
        )
    return config


def _read(reading: Reading, raw: bytes, rules: Rules) -> JobConfig:
    node = compose(raw)
    root = None if node is None else struct(job_config_fields(rules))(reading, node, (), None)
    if root is None:
        if reading.problems:
            return JobConfig()
        root = Struct(1, ())
    if "apiVersion" not in root.values:
        reading.problem(root.line, ("apiVersion",), f"expected {API_VERSION}, but it is not there")
    actions = root.values.get("actions", ())
    return JobConfig(tuple(_action(reading, rules, index, action) for index, action in enumerate(actions)))


def _action(reading: Reading, rules: Rules, index: int, action: Struct) -> Action:
    values = action.values
    return Action(
        index=index,
        name=values.get("name", ""),
        events=tuple(map(_event_filter, values.get("events", ()))),
        tasks=tuple(
            _task(reading, rules, number, task) for number, task in enumerate(values.get("tasks", ()))
        ),
        silent=bool(values.get("silent")),
        objections=tuple(sorted(reading.objections.get(index, ()))),
    )


def _event_filter(event: Struct) -> EventFilter:
    jsonpath = _values(event.values.get("jsonpath"))
    return EventFilter(
        event.values.get("name", ""), property=jsonpath.get("property", ""), match=jsonpath.get("match", "")
    )


def _task(reading: Reading, rules: Rules, index: int, task: Struct) -> Task:
    values = task.values
    kinds = [kind for kind in _KINDS if values.get(kind)]
    if len(kinds) > 1:
        line = task.line_of(kinds[1])
        reading.objection(line, task.path, f"expected one of {_listed(_KINDS)}, found {' and '.join(kinds)}")
    seconds = values.get("maxPollDuration")
    return Task(
        index=index,
        name=values.get("name", ""),
        image=values.get("image", ""),
        function=values.get("function", ""),
        lambda_name=values.get("lambda", ""),
        http=http_call(reading, values.get("http")),
        state_machine=values.get("stateMachine", ""),
        files=values.get("files", ()),
        image_pull_policy=values.get("imagePullPolicy", ""),
        image_pull_secret=image_pull_secret(reading, values.get("imagePullSecrets", ())),
        secret_files=secret_files(reading, values.get("secretFiles", ())),
        cmd=values.get("cmd", ()),
        args=values.get("args", ()),
        env=tuple(_env(reading, env) for env in values.get("env", ())),
        resources=_resources(values.get("resources")),
        working_dir=values.get("workingDir", ""),
        max_poll_duration=DEFAULT_MAX_POLL_DURATION if seconds is None else seconds,
        namespace=values.get("namespace", ""),
        ttl_seconds_after_finished=values.get("ttlSecondsAfterFinished"),
        security_context=_security_context(reading, rules, values.get("securityContext")),
        service_account=values.get("serviceAccount"),
        annotations=values.get("annotations", {}),
        on_error=values.get("onError") or "fail",
        given=frozenset(name for name, value in values.items() if value not in (None, "", (), {})),
    )


def _env(reading: Reading, env: Struct) -> Env:
    value, value_from = env.values.get("value", ""), env.values.get("valueFrom", "")
    if value_from not in _SOURCES:
        path = (*env.path, "valueFrom")
        reading.objection(
            env.line_of("valueFrom"),
            path,
            f"expected {_either(_SOURCES)}, found {shown(value_from)}",
        )
    elif value_from == "event" and (complaint := path_problem(value)):
        reading.objection(env.line_of("value"), (*env.path, "value"), complaint)
    elif value_from == "secretKey" and SecretKey.parse(value) is None:
        complaint = f"expected SECRET/KEY, as in db/password, found {shown(value)}"
        reading.objection(env.line_of("value"), (*env.path, "value"), complaint)
    return Env(env.values.get("name", ""), value, value_from, rendering=env.values.get("as", ""))


def _resources(resources: Struct | None) -> Resources | None:
    if resources is None:
        return None
    limits, requests = (_values(resources.values.get(name)) for name in ("limits", "requests"))
    return Resources(
        limits=Amounts(limits.get("cpu"), limits.get("memory")),
        requests=Amounts(requests.get("cpu"), requests.get("memory")),
    )


def _security_context(reading: Reading, rules: Rules, context: Struct | None) -> SecurityContext:
    if context is None:
        return SecurityContext()
    values = context.values
    if values.get("privileged") and not rules.allow_privileged:
        path: Path = (*context.path, "privileged")
        reading.objection(context.line_of("privileged"), path, "privileged containers are not allowed")
    says_capabilities = values.get("capabilities") is not None
    capabilities, seccomp = _values(values.get("capabilities")), _values(values.get("seccompProfile"))
    return SecurityContext(
        privileged=values.get("privileged"),
        run_as_user=values.get("runAsUser"),
        run_as_group=values.get("runAsGroup"),
        run_as_non_root=values.get("runAsNonRoot"),
        read_only_root_filesystem=values.get("readOnlyRootFilesystem"),
        allow_privilege_escalation=values.get("allowPrivilegeEscalation"),
        capabilities_add=capabilities.get("add", ()),
        capabilities_drop=capabilities.get("drop", ()) if says_capabilities else None,
        proc_mount=values.get("procMount"),
        seccomp_type=seccomp.get("type"),
        seccomp_localhost_profile=seccomp.get("localhostProfile"),
    )


def _values(struct_or_none: Struct | None) -> dict[str, Any]:
    return {} if struct_or_none is None else struct_or_none.values


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
