"""Keptn, from this machine: its URL, the token, and how the plane shows in the Bridge."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cli.runs.doctor.finding import Finding, fine, problem, unknown
from cli.runs.doctor.polls import has_polled
from cli.runs.plane import Plane
from cli.runs.words import compared, duration
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.subscriptions import Subscription, from_settings
from execution_plane.keptn.transport import KeptnError, KeptnUnauthorized, KeptnUnreachable
from execution_plane.keptn.uniform import UnsupportedSubscription, read_subscription
from execution_plane.settings import IntegrationSettings, InvalidSetting, PollerSettings

ALIVE = 300.0  # seconds since its last heartbeat within which an integration is alive
SKEWED = 60.0  # seconds by which clocks differ that is worth a line


def check_keptn(plane: Plane) -> Iterator[Finding]:
    """Whether Keptn answers, takes the token, and lists what this plane polls for."""
    environment = plane.environment("Poller")
    url = environment.get("KEPTN_API_URL", "")
    for event_type in _polled(environment):
        try:
            listing = plane.keptn.open_events(event_type, {})
        except KeptnUnauthorized as refused:
            yield problem("token", f"{refused}.")
            return
        except KeptnUnreachable as wrong:
            yield unknown("Keptn", f"not reached from this machine, which says nothing of AWS: {wrong}.")
            return
        except KeptnError as wrong:
            yield problem("Keptn", f"{url}: {wrong}.")
            return
        yield fine(
            "Keptn", f"{plane.keptn.version()} at {url} lists {len(listing.events)} open {event_type}."
        )
    skew = plane.keptn_skew()
    if abs(skew) > SKEWED:
        yield unknown(
            "clocks",
            f"Keptn's is {compared(skew)} this machine's: one is wrong. Tasks are served all the same.",
        )


def check_registration(plane: Plane) -> Iterator[Finding]:
    """Whether the Bridge shows the plane as alive, and with which subscriptions."""
    environment = plane.environment("Poller")
    shown = IntegrationSettings.from_environment(environment)
    if not shown.is_registered:
        yield fine("registration", "Registration=disabled: the Bridge does not show this plane.")
        return
    found = _registered(plane.keptn, shown)
    if not found:
        yield _unregistered(plane, shown.name)
        return
    last_seen = _seconds(found.get("metadata", {}).get("lastseen"))
    # Both by Keptn's clock.
    silent = plane.clock.now() + plane.keptn_skew() - last_seen if last_seen is not None else None
    if silent is not None and silent > ALIVE:
        yield problem("registration", f"the last heartbeat was {duration(silent)} ago: see polls.")
    else:
        yield fine("registration", f"{shown.name} in {shown.location} is alive.")
    yield from _subscriptions(found, environment, is_steered=shown.is_steered)


def _unregistered(plane: Plane, name: str) -> Finding:
    if has_polled(plane):
        return problem("registration", f"Keptn has no integration {name}; the poller's log says why.")
    return unknown("registration", f"Keptn has no integration {name} yet: the first poll registers it.")


def _registered(keptn: ControlPlane, shown: IntegrationSettings) -> Mapping[str, Any]:
    found = keptn.registered(shown.name, shown.namespace)
    return next((each for each in found if isinstance(each, dict)), {})


def _subscriptions(
    integration: Mapping[str, Any], environment: Mapping[str, str], *, is_steered: bool
) -> Iterator[Finding]:
    if not is_steered:
        yield fine("subscriptions", "Subscriptions=template: those of the Bridge are not asked for.")
        return
    served: list[Subscription] = []
    for raw in integration.get("subscriptions") or ():
        try:
            served.append(read_subscription(raw))
        except UnsupportedSubscription as wrong:
            yield problem(
                "subscriptions", f"{wrong} is ignored: change it in the Bridge to one task's triggered event."
            )
    if not served:
        yield problem("subscriptions", "there is none, so no task is taken: add one in the Bridge.")
        return
    types = ", ".join(dict.fromkeys(each.event_type for each in served))
    given = from_settings(PollerSettings.from_environment(environment))
    is_same = {_key(each) for each in served} == {_key(each) for each in given}
    yield fine(
        "subscriptions", f"{types}{'' if is_same else '; the Bridge rules, and the template says otherwise'}."
    )


def _key(subscription: Subscription) -> tuple[Any, ...]:
    chosen = (subscription.projects, subscription.stages, subscription.services)
    return (subscription.event_type, *(tuple(sorted(names)) for names in chosen))


def _polled(environment: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return PollerSettings.from_environment(environment).event_types
    except InvalidSetting:
        return ()


def _seconds(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
