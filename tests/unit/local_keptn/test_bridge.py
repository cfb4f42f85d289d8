import requests

from tests.unit.local_keptn.rig import Rig

ORIGIN = "http://keptn.test/bridge"


def _page(rig: Rig, path: str = "") -> requests.Response:
    return rig.http.get(ORIGIN + path)


def test_sequences_are_shown_with_their_state() -> None:
    rig = Rig()
    context = rig.trigger()
    page = _page(rig).text
    assert context in page
    assert "started" in page
    assert 'http-equiv="refresh"' in page


def test_the_time_line_shows_who_said_what() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.run(rig.task("deployment"), result="warning", message="42 <b>bold</b>")
    page = _page(rig, f"/sequence/podtato/{context}").text
    assert "executor" in page
    assert "warning" in page
    assert "42 &lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold" not in page


def test_an_unknown_sequence_is_not_found() -> None:
    assert _page(Rig(), "/sequence/podtato/nothing").status_code == 404


def test_a_sequence_is_aborted_by_a_button() -> None:
    rig = Rig()
    context = rig.trigger()
    answer = rig.http.post(f"{ORIGIN}/sequence/podtato/{context}/control", data={"state": "abort"})
    assert answer.url == f"{ORIGIN}/sequence/podtato/{context}"
    assert rig.state(context) == "aborted"


def test_subscriptions_are_added_changed_and_deleted_by_forms() -> None:
    rig = Rig()
    metadata = {"hostname": "h", "location": "eu-central-1", "kubernetesmetadata": {"namespace": "n"}}
    integration, _ = rig.keptn.uniform.register({"name": "executor", "metadata": metadata})
    form = f"{ORIGIN}/integrations/{integration}/subscription"
    rig.http.post(form, data={"event": "sh.keptn.event.test.triggered", "projects": "podtato, sockshop"})
    (subscription,) = rig.keptn.uniform.get(integration)["subscriptions"]
    assert subscription["filter"]["projects"] == ["podtato", "sockshop"]
    page = _page(rig, "/integrations").text
    assert "eu-central-1" in page
    assert "podtato, sockshop" in page
    one = f"{form}/{subscription['id']}"
    rig.http.post(one, data={"action": "change", "event": "other"})
    assert rig.keptn.uniform.get(integration)["subscriptions"][0]["event"] == "other"
    rig.http.post(one, data={"action": "delete", "event": "other"})
    assert rig.keptn.uniform.get(integration)["subscriptions"] == []


def test_the_error_log_of_an_integration_is_escaped() -> None:
    rig = Rig()
    metadata = {"hostname": "h", "kubernetesmetadata": {"namespace": "n"}}
    integration, _ = rig.keptn.uniform.register({"name": "executor", "metadata": metadata})
    rig.keptn.uniform.log([{"integrationid": integration, "message": "<script>alert(1)</script>"}])
    page = _page(rig, "/integrations").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_a_form_for_an_unknown_integration_changes_nothing() -> None:
    rig = Rig()
    for action in ("change", "delete"):
        answer = rig.http.post(
            f"{ORIGIN}/integrations/x/subscription/y", data={"action": action, "event": "e"}
        )
        assert answer.status_code == 404
    assert rig.keptn.uniform.integrations() == []


def test_the_list_of_sequences_tells_how_far_each_has_come() -> None:
    rig = Rig()
    rig.trigger()
    rig.reply(rig.task("deployment"), "started", message="on my way")
    assert "on my way" in _page(rig).text


def test_only_a_sequence_that_goes_on_can_be_paused_or_aborted() -> None:
    rig = Rig()
    context = rig.trigger()
    assert "Abort" in _page(rig, f"/sequence/podtato/{context}").text
    rig.keptn.control("podtato", context, "abort")
    assert "Abort" not in _page(rig, f"/sequence/podtato/{context}").text
