import re

import pytest
import requests

from tests.unit.local_keptn.harness import Harness

ORIGIN = "http://keptn.test/bridge"


def _page(harness: Harness, path: str = "") -> requests.Response:
    return harness.http.get(ORIGIN + path)


def test_sequences_are_shown_with_their_state() -> None:
    harness = Harness()
    context = harness.trigger()
    page = _page(harness).text
    assert context in page
    assert "started" in page
    assert 'http-equiv="refresh"' in page


def test_the_time_line_shows_who_said_what() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.run(harness.task("deployment"), result="warning", message="42 <b>bold</b>")
    page = _page(harness, f"/project/podtato/sequence/{context}").text
    assert "executor" in page
    assert "warning" in page
    assert "42 &lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold" not in page


def test_an_unknown_sequence_is_not_found() -> None:
    assert _page(Harness(), "/project/podtato/sequence/nothing").status_code == 404


def test_a_sequence_is_aborted_by_a_button() -> None:
    harness = Harness()
    context = harness.trigger()
    answer = harness.http.post(
        f"{ORIGIN}/project/podtato/sequence/{context}/control", data={"state": "abort"}
    )
    assert answer.url == f"{ORIGIN}/project/podtato/sequence/{context}"
    assert harness.state(context) == "aborted"


def test_subscriptions_are_added_changed_and_deleted_by_forms() -> None:
    harness = Harness()
    metadata = {"hostname": "h", "location": "eu-central-1", "kubernetesmetadata": {"namespace": "n"}}
    integration, _ = harness.keptn.uniform.register({"name": "executor", "metadata": metadata})
    form = f"{ORIGIN}/integrations/{integration}/subscription"
    harness.http.post(form, data={"event": "sh.keptn.event.test.triggered", "projects": "podtato, sockshop"})
    (subscription,) = harness.keptn.uniform.get(integration)["subscriptions"]
    assert subscription["filter"]["projects"] == ["podtato", "sockshop"]
    page = _page(harness, "/integrations").text
    assert "eu-central-1" in page
    assert "podtato, sockshop" in page
    one = f"{form}/{subscription['id']}"
    harness.http.post(one, data={"action": "change", "event": "other"})
    assert harness.keptn.uniform.get(integration)["subscriptions"][0]["event"] == "other"
    harness.http.post(one, data={"action": "delete", "event": "other"})
    assert harness.keptn.uniform.get(integration)["subscriptions"] == []


def test_the_error_log_of_an_integration_is_escaped() -> None:
    harness = Harness()
    metadata = {"hostname": "h", "kubernetesmetadata": {"namespace": "n"}}
    integration, _ = harness.keptn.uniform.register({"name": "executor", "metadata": metadata})
    harness.keptn.uniform.log([{"integrationid": integration, "message": "<script>alert(1)</script>"}])
    page = _page(harness, "/integrations").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def _badges(page: str) -> list[tuple[str, str]]:
    """The class and text of each badge, by which its colour is chosen."""
    return re.findall(r'<span class="badge ([^"]*)">([^<]*)</span>', page)


@pytest.mark.parametrize("end", ["fail", "errored", "abort"])
def test_a_failed_sequence_is_green_nowhere(end: str) -> None:
    harness = Harness()
    context = harness.trigger()
    if end == "abort":
        harness.keptn.control("podtato", context, "abort")
    else:
        status = "errored" if end == "errored" else "succeeded"
        harness.run(harness.task("deployment"), result="fail", status=status)
    harness.after(60)

    for path in ("", f"/project/podtato/sequence/{context}"):
        page = _page(harness, path).text
        good = re.findall(r"\.badge\.(\w+)[^{]*\{ color: var\(--good\)", page)
        assert good == ["pass"]
        found = _badges(page)
        assert found
        assert not [text for kind, text in found if kind in good]


def test_a_sequence_that_passes_is_green() -> None:
    harness = Harness()
    harness.trigger()
    for task in ("deployment", "test", "deployment"):
        harness.run(harness.task(task))
    harness.after(60)

    assert ("pass", "finished") in _badges(_page(harness).text)


def test_a_search_finds_sequences_by_what_the_list_shows() -> None:
    harness = Harness()
    one, other = harness.trigger(), harness.trigger("empty")

    assert one in _page(harness, f"?search={one[:8]}").text
    assert other not in _page(harness, f"?search={one[:8]}").text
    assert one in _page(harness, "?search=DELIVERY+hello").text
    assert "No sequence has “&lt;nothing&gt;”" in _page(harness, "?search=<nothing>").text


def test_a_sequence_says_how_long_it_took() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.after(185)

    for path in ("", f"/project/podtato/sequence/{context}"):
        assert "3 min 5 s" in _page(harness, path).text


def test_an_integration_that_has_fallen_silent_is_stale() -> None:
    harness = Harness()
    metadata = {"hostname": "h", "kubernetesmetadata": {"namespace": "n"}}
    integration, _ = harness.keptn.uniform.register({"name": "executor", "metadata": metadata})
    harness.keptn.uniform.ping(integration)
    assert "stale" not in [text for _, text in _badges(_page(harness, "/integrations").text)]

    harness.after(3 * 60)

    page = _page(harness, "/integrations").text
    assert ("stale", "stale") in _badges(page)
    assert "last heartbeat 3 min 0 s ago" in page


def test_a_form_for_an_unknown_integration_changes_nothing() -> None:
    harness = Harness()
    for action in ("change", "delete"):
        answer = harness.http.post(
            f"{ORIGIN}/integrations/x/subscription/y", data={"action": action, "event": "e"}
        )
        assert answer.status_code == 404
    assert harness.keptn.uniform.integrations() == []


def test_the_list_of_sequences_tells_how_far_each_has_come() -> None:
    harness = Harness()
    harness.trigger()
    harness.reply(harness.task("deployment"), "started", message="on my way")
    assert "on my way" in _page(harness).text


def test_only_a_sequence_that_goes_on_can_be_paused_or_aborted() -> None:
    harness = Harness()
    context = harness.trigger()
    assert "Abort" in _page(harness, f"/project/podtato/sequence/{context}").text
    harness.keptn.control("podtato", context, "abort")
    assert "Abort" not in _page(harness, f"/project/podtato/sequence/{context}").text


def test_a_sequence_has_a_picture_with_a_bar_for_each_task() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.run(harness.task("deployment"), result="warning", message='42 "<b>"')
    page = _page(harness, f"/project/podtato/sequence/{context}").text
    assert page.count('class="track"') == page.count('class="bar')
    assert 'class="mark finished"' in page
    assert 'title="finished by executor\n42 &#34;&lt;b&gt;&#34;"' in page
