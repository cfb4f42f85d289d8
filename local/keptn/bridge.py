"""A small bridge: sequences and their events, integrations and their subscriptions, in plain HTML."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for

from local.keptn.control_plane import Keptn
from local.keptn.events import PREFIX, Event, kind_of
from local.keptn.overview import STALE, Overview, in_words, is_meant, silence
from local.keptn.sequence_states import SequenceState
from local.keptn.sources import hue_of
from local.keptn.timeline import draw
from local.keptn.uniform import LogQuery, NotRegistered

_SHOWN_SEQUENCES = 100
_SHOWN_LOGS = 100


@dataclass(frozen=True)
class Moment:
    """An event on a sequence's time line."""

    time: str
    stage: str
    name: str
    kind: str
    source: str
    hue: int
    result: str
    status: str
    message: str

    @classmethod
    def of(cls, event: Event) -> "Moment":
        """An event as the time line shows it; the hue tells one source from another at a glance."""
        data = event["data"] if isinstance(event["data"], dict) else {}
        kind = kind_of(event["type"])
        name = event["type"].removeprefix(PREFIX).removesuffix(f".{kind}")
        if kind == "changed":
            kind, name = "status.changed", name.removesuffix(".status")
        return cls(
            time=str(event["time"])[11:23].rstrip("Z"),
            stage=str(data.get("stage", "")),
            name=name,
            kind=kind,
            source=str(event["source"]),
            hue=hue_of(str(event["source"])),
            result=str(data.get("result") or "") if kind == "finished" else "",
            status=_telling(data) if kind == "finished" else "",
            message=str(data.get("message") or ""),
        )


def _telling(data: dict[str, Any]) -> str:
    """The status of what is finished, where it says more than its result: what fails `succeeded`, too."""
    status = str(data.get("status") or "")
    return "" if status == "succeeded" and data.get("result") else status


class Bridge:
    """The bridge's pages. It needs no token: it is for a laptop."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """The pages and the forms on them."""
        pages = Blueprint("bridge", __name__)
        pages.add_url_rule("", view_func=self.sequences)
        sequence = "/project/<project>/sequence/<keptn_context>"  # as in Keptn's own
        pages.add_url_rule(sequence, view_func=self.sequence)
        pages.add_url_rule(f"{sequence}/control", view_func=self.control, methods=["POST"])
        pages.add_url_rule("/integrations", view_func=self.integrations)
        subscription = "/integrations/<integration_id>/subscription"
        pages.add_url_rule(subscription, view_func=self.subscribe, methods=["POST"])
        pages.add_url_rule(f"{subscription}/<subscription_id>", view_func=self.resubscribe, methods=["POST"])
        return pages

    def sequences(self) -> str:
        """All sequences, newest first, or those in which each word of a search is found."""
        words = request.args.get("search", "").strip()
        listed = [state for name in self._keptn.projects for state in self._states(name)]
        listed.sort(key=lambda state: str(state["time"]), reverse=True)
        known = [(state, self._overview(state)) for state in listed]
        found = [(state, overview) for state, overview in known if is_meant(words, state, overview)]
        shown = [(state, overview, self._latest(state)) for state, overview in found[:_SHOWN_SEQUENCES]]
        return self._page("sequences", 2, sequences=shown, total=len(found), search=words)

    def sequence(self, project: str, keptn_context: str) -> Response:
        """One sequence and its events on a time line."""
        state = self._keptn.controller.records.states.get(project, keptn_context)
        if state is None:
            return Response(self._page("missing", 5), 404)
        events = self._keptn.events(keptn_context)
        moments = [Moment.of(event) for event in events]
        picture = draw(events, self._keptn.clock.now())
        shown = {"sequence": state, "overview": self._overview(state), "moments": moments}
        return Response(self._page("sequence", 2, picture=picture, **shown))

    def control(self, project: str, keptn_context: str) -> Any:
        """Pause, resume or abort a sequence."""
        self._keptn.control(project, keptn_context, request.form.get("state", ""))
        return redirect(url_for("bridge.sequence", project=project, keptn_context=keptn_context), 303)

    def integrations(self) -> str:
        """All integrations with their subscriptions and error logs."""
        now = self._keptn.clock.now()
        found = [
            {
                **integration,
                "logs": self._keptn.uniform.logs(LogQuery(integration["id"]))[:_SHOWN_LOGS],
                "silence": in_words(silence(integration, now)),
                "is_stale": silence(integration, now) > STALE,
            }
            for integration in self._keptn.uniform.integrations()
        ]
        return self._page("integrations", 30, integrations=found)

    def subscribe(self, integration_id: str) -> Any:
        """Add a subscription."""
        return self._change(integration_id, "")

    def resubscribe(self, integration_id: str, subscription_id: str) -> Any:
        """Change a subscription, or delete it."""
        if request.form.get("action") != "delete":
            return self._change(integration_id, subscription_id)
        try:
            self._keptn.uniform.get(integration_id)
            self._keptn.uniform.delete_subscription(integration_id, subscription_id)
        except NotRegistered:
            return Response(self._page("missing", 5), 404)
        return redirect(url_for("bridge.integrations"), 303)

    def _change(self, integration_id: str, subscription_id: str) -> Any:
        chosen = {name: _names(request.form.get(name, "")) for name in ("projects", "stages", "services")}
        subscription = {"event": request.form.get("event", "").strip(), "filter": chosen}
        try:
            self._keptn.uniform.put_subscription(integration_id, subscription, subscription_id)
        except NotRegistered:
            return Response(self._page("missing", 5), 404)
        return redirect(url_for("bridge.integrations"), 303)

    def _overview(self, state: SequenceState) -> Overview:
        return Overview.of(state, self._keptn.events(state["shkeptncontext"]), self._keptn.clock.now())

    def _latest(self, state: SequenceState) -> Moment:
        return Moment.of(self._keptn.events(state["shkeptncontext"])[-1])

    def _states(self, project: str) -> list[SequenceState]:
        return self._keptn.controller.records.states.of_project(project)

    def _page(self, page: str, refresh: int, **shown: Any) -> str:
        version = self._keptn.release.version
        shown = {"page": page, "refresh": refresh, "version": version, "in_words": in_words, **shown}
        return render_template("bridge.html", **shown)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
