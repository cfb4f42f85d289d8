"""With the real one's timing: lines before the resource service and each repository, dispatch on a tick."""

import pytest
import requests

from local.keptn.timing import AS_SEEN, Timing
from tests.unit.local_keptn.harness import SHIPYARD, Harness

READ = "/resource-service/v1/project/{}/resource/shipyard.yaml"


def test_each_read_of_a_project_takes_its_time_and_no_other_project_waits_for_it() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    harness.keptn.create_project("sockshop", SHIPYARD)
    begun = harness.clock.at
    harness.keptn.lines.join("podtato")
    harness.keptn.lines.join("podtato")
    assert harness.get(READ.format("sockshop")).status_code == 200
    assert harness.clock.at == begun + 2
    assert harness.get(READ.format("podtato")).status_code == 200
    assert harness.clock.at == begun + 6


def test_reads_of_a_quiet_project_do_not_add_up() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    for _ in range(2):
        begun = harness.clock.at
        assert harness.get(READ.format("podtato")).status_code == 200
        assert harness.clock.at == begun + 2
        harness.after(60)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/resource"), ("PUT", "/resource/a"), ("DELETE", "/resource/a")]
)
def test_lists_and_writes_wait_in_the_same_line(method: str, path: str) -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    begun = harness.clock.at
    harness.call(
        method, f"/resource-service/v1/project/podtato/stage/dev{path}", json={"resourceContent": "eA=="}
    )
    assert harness.clock.at == begun + 2


def test_who_has_stopped_waiting_still_has_a_turn() -> None:
    harness = Harness(timing=Timing(resource_read=10.0))
    begun = harness.clock.at
    with pytest.raises(requests.ReadTimeout):
        harness.call("GET", READ.format("podtato"), timeout=3)
    assert harness.get(READ.format("podtato")).status_code == 200
    assert harness.clock.at == begun + 20


def test_after_a_minute_in_line_the_gateway_answers_in_the_services_place() -> None:
    harness = Harness(timing=Timing(resource_read=61.0))
    begun = harness.clock.at
    answer = harness.get(READ.format("podtato"))
    assert (answer.status_code, harness.clock.at) == (504, begun + 60)
    assert "<title>504 Gateway Time-out</title>" in answer.text


def test_the_resource_service_takes_a_burst_at_once_and_then_so_many_a_second_of_all_projects() -> None:
    harness = Harness(timing=Timing(resource_rate=5.0, resource_burst=10))
    harness.keptn.create_project("sockshop", SHIPYARD)
    begun = harness.clock.at
    taken = [harness.keptn.lines.join(("podtato", "sockshop")[number % 2]) for number in range(20)]
    assert taken[:10] == pytest.approx([begun] * 10)
    assert taken[10:] == pytest.approx([begun + number / 5 for number in range(1, 11)])
    assert harness.get(READ.format("nothing")).status_code == 404
    assert harness.clock.at == pytest.approx(begun + 2.2), "one without a repository has its turn, too"
    harness.after(60)
    assert [harness.keptn.lines.join("podtato") for _ in range(11)][9:] == pytest.approx(
        [harness.clock.at, harness.clock.at + 0.2]
    )


def test_250_triggers_at_once_are_a_line_of_a_hundred_seconds() -> None:
    """Seen: each has Keptn read the shipyard and the stage's latest commit."""
    harness = Harness(timing=AS_SEEN)
    for number in range(250):
        harness.trigger(service=f"service-{number}")
    harness.after(97)
    assert 235 < len(harness.open("deployment")) < 250
    harness.after(3)
    assert len(harness.open("deployment")) == 250


def test_a_project_that_is_not_there_and_a_wrong_token_wait_for_no_repository() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    begun = harness.clock.at
    assert harness.get(READ.format("nothing")).status_code == 404
    assert harness.call("GET", READ.format("podtato"), headers={"x-token": "wrong"}).status_code == 401
    assert harness.clock.at == begun


def test_keptns_own_reads_for_a_trigger_wait_in_the_same_line() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    harness.keptn.lines.join("podtato")
    harness.trigger()
    harness.after(5)
    assert harness.open("deployment") == []
    harness.after(1)
    assert harness.open("deployment")
    assert harness.keptn.lines.turns["podtato"] == 3  # the shipyard, and the stage's latest commit
    assert harness.keptn.resource_requests == 0


def test_a_trigger_that_bears_its_commit_costs_keptn_one_read() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    harness.send(
        type="sh.keptn.event.dev.delivery.triggered",
        gitcommitid=harness.keptn.resources.head("podtato", "dev"),
        data={"project": "podtato", "stage": "dev", "service": "hello"},
    )
    harness.after(2)
    assert harness.open("deployment")


def test_the_next_stage_costs_keptn_three_reads() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    harness.trigger()
    harness.after(4)
    harness.run(harness.task("deployment"))
    harness.run(harness.task("test"))
    harness.after(5.9)
    assert harness.open("deployment") == []
    harness.after(0.1)
    assert harness.task("deployment")["data"]["stage"] == "prod"


def test_a_project_that_is_deleted_meanwhile_starts_nothing() -> None:
    harness = Harness(timing=Timing(resource_read=2.0))
    for seconds in (0, 2, 4):
        harness.trigger(service=f"hello-{seconds}")
    harness.after(3)
    harness.keptn.delete_project("podtato")
    harness.after(60)
    assert harness.open("deployment") == []


def test_the_requests_to_the_resource_service_are_counted() -> None:
    harness = Harness()
    harness.get(READ.format("podtato"))
    harness.get(READ.format("nothing"))
    assert harness.keptn.resource_requests == 2


def test_as_seen_a_quiet_project_opens_its_task_within_a_quarter_of_a_second() -> None:
    harness = Harness(timing=AS_SEEN)
    harness.trigger()
    harness.after(0.25)
    assert harness.open("deployment")
