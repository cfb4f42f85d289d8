"""How often Keptn is asked for a job config, and how long for one that it does not give."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

from execution_plane.clock import Deadline
from execution_plane.keptn.events import read_triggered
from execution_plane.ledger.job_configs import JobConfigs, Place, digest_of
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from local.keptn.faults import Answer, DropConnection
from local.keptn.release import RELEASE_0_16
from runs.job_config_lookup import BUNDLED, LOOKUP_SECONDS, BundledLookup, Found, KeptnLookup
from runs.work import Unreachable
from tests.support.job_configs import lookup
from tests.support.memory_job_configs import MemoryJobConfigs
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, World

LEVELS = {"service": ("dev", "head"), "stage": ("dev", ""), "project": ("", "")}
ASK = "resource-service"


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


@pytest.fixture
def kept(recording: Recording) -> Any:
    """What all execution environments share."""
    return MemoryJobConfigs()


def run_of(world: World, commit: str | None = None) -> Run:
    """The run of the open event, claimed now; `commit` instead of the event's own commit id."""
    if not world.keptn.open_events(SAYHELLO):
        world.trigger()
    (event,) = world.keptn.open_events(SAYHELLO)
    ref = read_triggered(event).ref
    now = world.clock.now()
    return Run.claimed(ref if commit is None else replace(ref, commit=commit), "plane", now, now + 3600)


def write(world: World, level: str, text: str) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", text, *LEVELS[level])


def find(world: World, look: KeptnLookup, run: Run | None = None) -> Found:
    return look.find(run or run_of(world), Deadline.after(world.clock, 900))


def asked(recording: Recording) -> list[str]:
    """The levels that Keptn was asked for since the last time."""
    paths = recording.asked("GET", ASK)
    recording.clear()
    names = {"service": "/service/", "stage": "/stage/", "project": "/"}
    return [next(level for level, part in names.items() if part in path) for path in paths]


def test_two_services_of_a_stage_share_what_stage_and_project_have(
    world: World, recording: Recording, kept: Any
) -> None:
    world.keptn.create_service("podtato", "tail")
    head = run_of(world)
    tail = replace(head, event=replace(head.event, service="tail"))

    find(world, lookup(world, kept), head)
    begun = world.clock.now()
    find(world, lookup(world, kept), tail)

    assert world.clock.now() == begun, "nobody waits for what is known"
    assert asked(recording) == ["service", "stage", "project", "service"]


def test_three_levels_are_asked_once_for_a_commit_whoever_looks_it_up(
    world: World, recording: Recording, kept: Any
) -> None:
    run = run_of(world)

    found = {find(world, lookup(world, kept), run).raw for _ in range(20)}

    assert found == {BUNDLED.read_bytes()}
    assert asked(recording) == ["service", "stage", "project"]


@pytest.mark.parametrize("level", ["service", "stage"])
def test_what_was_found_at_a_commit_is_never_asked_for_again(
    world: World, recording: Recording, kept: Any, level: str
) -> None:
    write(world, level, "at the commit")
    run = run_of(world)
    first = find(world, lookup(world, kept), run)
    asked(recording)
    write(world, "service", "later")
    world.clock.advance(24 * 3600)

    later = find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))

    assert first == later
    assert later.raw == b"at the commit"
    assert f"of {level} podtato/dev" in later.origin
    assert asked(recording) == []


def test_another_commit_is_another_question(world: World, recording: Recording, kept: Any) -> None:
    write(world, "service", "before")
    look = lookup(world, kept)
    before = find(world, look)
    write(world, "service", "after")
    commit = world.keptn.resources.head("podtato", "dev")

    after = find(world, look, run_of(world, commit))

    assert (before.raw, after.raw) == (b"before", b"after")


def test_that_a_commit_has_none_is_remembered_and_the_projects_own_is_asked_for_again(
    world: World, recording: Recording, kept: Any
) -> None:
    find(world, lookup(world, kept))
    asked(recording)
    write(world, "service", "is not at the commit")
    write(world, "project", "the project's")
    world.clock.advance(60)

    found = find(world, lookup(world, kept))

    assert found.raw == b"the project's"
    assert asked(recording) == ["project"]


def test_a_service_that_is_not_there_yet_is_asked_for_again(
    world: World, recording: Recording, kept: Any
) -> None:
    """Keptn knows services and stages of today only: that there is none is not about the commit."""
    run = run_of(world)
    run = replace(run, event=replace(run.event, service="new"))
    find(world, lookup(world, kept), run)
    world.keptn.create_service("podtato", "new")
    write(world, "stage", "the stage's")
    asked(recording)
    world.clock.advance(60)

    find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))

    assert "service" in asked(recording)


class TestWithoutACommit:
    """What a change may take to be seen."""

    def test_a_reading_serves_runs_claimed_shortly_after_it(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        find(world, lookup(world, kept), run_of(world, ""))
        asked(recording)
        world.clock.advance(5)

        find(world, lookup(world, kept), run_of(world, ""))

        assert asked(recording) == []

    def test_a_change_is_seen_by_runs_claimed_later_than_that(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        write(world, "service", "old")
        find(world, lookup(world, kept), run_of(world, ""))
        write(world, "service", "new")
        world.clock.advance(5.1)

        assert find(world, lookup(world, kept), run_of(world, "")).raw == b"new"

    def test_a_reading_serves_all_runs_that_were_claimed_before_it_however_long_they_wait(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        first, second = run_of(world, ""), run_of(world, "")
        find(world, lookup(world, kept), first)
        asked(recording)
        world.clock.advance(300)

        find(world, lookup(world, kept), second)

        assert asked(recording) == []

    def test_zero_seconds_ask_for_each(self, world: World, recording: Recording, kept: Any) -> None:
        run = run_of(world, "")
        for _ in range(3):
            find(world, lookup(world, kept, max_age=0), run)

        assert asked(recording) == ["service", "stage", "project"] * 3

    def test_zero_seconds_ask_for_the_projects_own_only_where_there_is_a_commit(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        for _ in range(3):
            find(world, lookup(world, kept, max_age=0))

        assert asked(recording) == ["service", "stage", "project", "project", "project"]


def test_levels_beyond_the_one_that_had_it_last_are_not_asked(
    world: World, recording: Recording, kept: Any
) -> None:
    look = lookup(world, kept)
    write(world, "stage", "one")
    find(world, look)
    asked(recording)
    write(world, "stage", "two")

    find(world, look, run_of(world, world.keptn.resources.head("podtato", "dev")))

    assert asked(recording) == ["service", "stage"]


def test_levels_are_asked_side_by_side(world: World) -> None:
    """Each answer waits for all the questions."""
    waiting = ThreadPoolExecutor(3)
    nothing = cast("JobConfigs", MemoryJobConfigs())
    look = KeptnLookup(world.client(), nothing, world.clock, max_age=0, pool=waiting)
    barrier = threading.Barrier(3)
    resource = look._control_plane.resource

    def meet(*arguments: Any, **more: Any) -> bytes:
        barrier.wait(timeout=30)
        return resource(*arguments, **more)

    look._control_plane.resource = meet  # type: ignore[method-assign]
    try:
        assert find(world, look).raw == BUNDLED.read_bytes()
    finally:
        waiting.shutdown()


def test_while_one_reads_the_others_wait_for_what_it_reads(
    world: World, recording: Recording, kept: Any
) -> None:
    run = run_of(world)
    other = lookup(world, kept)
    place = Place(("podtato", "dev", "head"), run.event.commit)
    assert kept.reserve(place, "one", world.clock.now(), None)
    waited = world.clock.now()

    def come() -> None:
        if world.clock.now() >= waited + 3 and not kept.readings:
            kept.release(place, "one")
            find(world, lookup(world, kept), run)
            recording.clear()

    world.clock.on_advance.append(come)

    find(world, other, run)

    assert asked(recording) == []
    assert 3 <= world.clock.now() - waited < 6


def test_one_that_is_lost_while_it_reads_holds_nobody_up_for_long(
    world: World, recording: Recording, kept: Any
) -> None:
    run = run_of(world)
    kept.reserve(Place(("podtato", "dev", "head"), run.event.commit), "lost", world.clock.now(), None)
    begun = world.clock.now()

    find(world, lookup(world, kept), run)

    assert world.clock.now() - begun < 35


def test_one_that_fails_lets_the_next_ask_at_once(world: World, recording: Recording, kept: Any) -> None:
    run = run_of(world)
    world.keptn.faults.add(Answer(502), ASK)
    with pytest.raises(Unreachable):
        find(world, lookup(world, kept), run)
    world.keptn.faults.clear()
    begun = world.clock.now()

    find(world, lookup(world, kept), run)

    assert world.clock.now() == begun


@pytest.mark.parametrize("fault", [Answer(500), Answer(502), Answer(429), DropConnection()])
def test_a_keptn_in_trouble_is_asked_for_more_than_a_minute(
    world: World, recording: Recording, kept: Any, fault: Any
) -> None:
    run = run_of(world)
    world.keptn.faults.add(fault, ASK)
    begun = world.clock.now()

    with pytest.raises(Unreachable, match="job config could not be read"):
        find(world, lookup(world, kept), run)

    assert LOOKUP_SECONDS - 16 <= world.clock.now() - begun <= LOOKUP_SECONDS
    assert len(recording.asked("GET", ASK)) <= 3 * 8


def test_what_is_refused_for_a_reason_is_asked_for_four_times(
    world: World, recording: Recording, kept: Any
) -> None:
    run = run_of(world)
    refused = Answer(424, '{"code": 424, "message": "Invalid git token"}', "application/json")
    world.keptn.faults.add(refused, ASK)

    with pytest.raises(Unreachable, match="424 Invalid git token"):
        find(world, lookup(world, kept), run)

    assert Counter(asked(recording)) == {"service": 4, "stage": 4, "project": 4}


def test_those_who_ask_again_do_not_all_come_back_at_once(world: World, recording: Recording) -> None:
    world.keptn.faults.add(Answer(502), ASK)
    run = run_of(world)
    gone: set[float] = set()
    for seed in range(5):
        look = lookup(world)
        look._jitter = random.Random(seed).random
        begun = world.clock.now()
        with pytest.raises(Unreachable):
            find(world, look, run)
        gone.add(round(world.clock.now() - begun, 3))

    assert len(gone) == 5


def test_a_look_up_ends_when_its_time_is_up(world: World, kept: Any) -> None:
    world.keptn.faults.add(Answer(502), ASK)
    run, begun = run_of(world), world.clock.now()

    with pytest.raises(Unreachable):
        lookup(world, kept).find(run, Deadline.after(world.clock, 12))

    assert world.clock.now() - begun <= 12


class Unavailable:
    """A table that can't be reached."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: Any) -> Any:
            raise LedgerUnavailable("injected")

        return fail


def test_without_the_table_each_asks_for_itself(world: World, recording: Recording) -> None:
    write(world, "stage", "the stage's")
    run = run_of(world)

    found = [find(world, lookup(world, Unavailable()), run) for _ in range(2)]

    assert {each.raw for each in found} == {b"the stage's"}
    assert lookup(world, Unavailable()).keep(found[0]) == ""


def test_a_file_that_the_table_has_lost_is_read_again(world: World, recording: Recording, kept: Any) -> None:
    write(world, "stage", "the stage's")
    find(world, lookup(world, kept))
    kept.files.clear()

    assert find(world, lookup(world, kept)).raw == b"the stage's"
    assert list(kept.files) == [digest_of(b"the stage's")]


def test_a_file_that_is_too_large_to_keep_is_read_by_each(
    world: World, recording: Recording, kept: Any
) -> None:
    content = "#" * 400_000
    write(world, "stage", content)

    found = [find(world, lookup(world, kept)) for _ in range(2)]

    assert {each.raw for each in found} == {content.encode()}
    assert asked(recording) == ["service", "stage", "project", "stage"]
    assert lookup(world, kept).keep(found[0]) == ""


def test_an_old_keptn_says_so_in_its_own_words(kept: Any) -> None:
    world = World(release=RELEASE_0_16)
    recording = record(world)
    run = run_of(world)

    for _ in range(2):
        find(world, lookup(world, kept), run)

    assert len(recording.asked("GET", "configuration-service")) == 3


def test_a_plane_with_its_own_job_config_asks_for_none(world: World, recording: Recording) -> None:
    write(world, "service", "Keptn's")

    found = BundledLookup().find(run_of(world), Deadline.after(world.clock, 900))

    assert found.raw == BUNDLED.read_bytes()
    assert asked(recording) == []


def test_an_answer_that_takes_half_a_minute_is_waited_for(world: World, kept: Any) -> None:
    """Who gives it up has lost his place before Keptn's repository, and everybody behind him waits longer."""
    seconds: list[float] = []
    look = lookup(world, kept)
    resource = look._control_plane.resource

    def note(*arguments: Any, **more: Any) -> bytes:
        seconds.append(more["seconds"])
        return resource(*arguments, **more)

    look._control_plane.resource = note  # type: ignore[method-assign]
    find(world, look)

    assert min(seconds) >= 30
