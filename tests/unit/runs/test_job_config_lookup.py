"""How often Keptn is asked for a job config, and how long for one that it does not give."""

import contextlib
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
from execution_plane.ledger.job_configs import JobConfigs, Place
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from local.keptn.faults import Answer, Delay, DropConnection, HandleThenDrop
from local.keptn.release import RELEASE_0_16
from local.keptn.resources import Place as At
from runs.job_config_lookup import BUNDLED, JOB_CONFIG, LOOKUP_SECONDS, BundledLookup, Found, KeptnLookup
from runs.read_through import PATIENCE
from runs.work import Unreachable
from tests.support.job_configs import lookup
from tests.support.memory_job_configs import MemoryJobConfigs
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, SHIPYARD, World

LEVELS = {"service": ("dev", "head"), "stage": ("dev", ""), "project": ("", "")}
ASK = "resource-service"
LIST = "resource-service.*/dev/resource(\\?|$)"


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
    """The levels that Keptn was asked for since the last time, and the lists."""
    paths = recording.asked("GET", ASK)
    recording.clear()
    names = {"service": "/service/", "stage": "/stage/dev/resource/", "list": "/stage/", "project": "/"}
    return [next(level for level, part in names.items() if part in path) for path in paths]


def test_a_list_says_what_all_services_of_a_stage_have_and_the_projects_own_is_asked_for_beside_it(
    world: World, recording: Recording, kept: Any
) -> None:
    head = run_of(world)
    find(world, lookup(world, kept), head)
    begun = world.clock.now()
    for service in ("tail", *[f"service-{number}" for number in range(20)]):
        other = replace(head, event=replace(head.event, service=service))
        assert find(world, lookup(world, kept), other).raw == BUNDLED.read_bytes()

    assert world.clock.now() == begun, "nobody waits for what is known"
    assert asked(recording) == ["list", "project"]


@pytest.mark.parametrize(("level", "requests"), [("service", 3), ("stage", 3), ("project", 2)])
def test_a_single_task_costs_no_more_requests_than_there_are_levels(
    world: World, recording: Recording, kept: Any, level: str, requests: int
) -> None:
    write(world, level, "one")
    look = lookup(world, kept)
    find(world, look)

    assert len(asked(recording)) == requests

    write(world, level, "two")
    world.clock.advance(60)
    found = find(world, look, run_of(world, world.keptn.resources.head("podtato", "dev")))

    assert found.raw == b"two"
    assert len(asked(recording)) <= 1 + ["service", "stage", "project"].index(level)


def test_only_files_that_are_there_are_read(world: World, recording: Recording, kept: Any) -> None:
    for service in ("with", "without"):
        world.keptn.create_service("podtato", service)
    world.keptn.add_resource("podtato", "job/config.yaml", "its own", "dev", "with")
    world.keptn.add_resource("podtato", "more/job/config.yaml", "another", "dev", "without")
    write(world, "stage", "the stage's")
    run = run_of(world)
    found = {
        service: find(world, lookup(world, kept), replace(run, event=replace(run.event, service=service))).raw
        for service in ("with", "without", "not-yet")
    }

    assert found == {"with": b"its own", "without": b"the stage's", "not-yet": b"the stage's"}
    assert Counter(asked(recording)) == {"list": 1, "project": 1, "service": 1, "stage": 1}


class TestWithoutAList:
    """What a list can't say, each level says."""

    LEVELS = ("service", "stage", "project")

    def test_a_stage_that_has_moved_on_is_asked_for_as_it_was(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        write(world, "service", "then")
        run = run_of(world)
        write(world, "service", "now")

        found = [find(world, lookup(world, kept), run).raw for _ in range(2)]

        assert found == [b"then"] * 2
        assert asked(recording) == ["list", "project", "service", "stage"]

    def test_a_commit_that_a_forced_push_has_thrown_away_is_asked_for_as_it_was(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        write(world, "stage", "thrown away")
        run = run_of(world)
        world.keptn.resources.delete(At("podtato", "dev"), "job%2Fconfig.yaml")

        assert find(world, lookup(world, kept), run).raw == b"thrown away"

    @pytest.mark.parametrize(("files", "asks"), [(4998, 0), (4999, 1)])
    def test_a_list_of_over_five_thousand_files_is_not_read_to_its_end(
        self, world: World, recording: Recording, kept: Any, files: int, asks: int
    ) -> None:
        place = At("podtato", "dev", "head")
        there = len(world.keptn.resources.uris(At("podtato", "dev")))
        world.keptn.resources.write(place, {f"file-{n}": b"" for n in range(files + 2 - there)})

        find(world, lookup(world, kept))

        assert Counter(asked(recording)) == {
            "list": 1,
            "project": 1,
            **({"service": 1, "stage": 1} if asks else {}),
        }

    @pytest.mark.parametrize("fault", [Answer(400), Answer(403), Answer(404), Answer(500), Answer(200, "<")])
    def test_a_keptn_that_lists_nothing_is_asked_for_a_list_once_a_minute(
        self, world: World, recording: Recording, kept: Any, fault: Answer
    ) -> None:
        write(world, "stage", "the stage's")
        world.keptn.faults.add(fault, LIST)
        run = run_of(world)

        assert {find(world, lookup(world, kept), run).raw for _ in range(3)} == {b"the stage's"}
        assert Counter(asked(recording)) == {"list": 1, "project": 1, "service": 1, "stage": 1}

    @pytest.mark.parametrize("fault", [DropConnection(), HandleThenDrop(), Answer(504), Delay(3600)])
    def test_a_list_that_never_comes_is_waited_for_no_longer_than_two_minutes(
        self, world: World, kept: Any, fault: Any
    ) -> None:
        write(world, "stage", "the stage's")
        world.keptn.faults.add(fault, LIST)
        run, begun = run_of(world), world.clock.now()
        found = None
        while found is None:
            with contextlib.suppress(Unreachable):
                found = find(world, lookup(world, kept), run)

        assert found.raw == b"the stage's"
        assert world.clock.now() - begun < 200

    def test_a_slow_list_is_waited_for(self, world: World, recording: Recording, kept: Any) -> None:
        world.keptn.faults.add(Delay(50), LIST)

        find(world, lookup(world, kept))

        assert asked(recording) == ["list", "project"]

    @pytest.mark.parametrize("revision", ["dev", "HEAD", "{commit:.12}", ""])
    def test_a_revision_that_may_move_is_no_key(
        self, world: World, recording: Recording, kept: Any, revision: str
    ) -> None:
        write(world, "service", "old")
        revision = revision.format(commit=world.keptn.resources.head("podtato", "dev"))
        find(world, lookup(world, kept), run_of(world, revision))
        write(world, "service", "new")
        world.clock.advance(6)

        found = find(world, lookup(world, kept), run_of(world, revision))

        assert found.raw == (b"old" if len(revision) > 10 else b"new")
        assert "list" not in asked(recording)

    def test_a_name_that_lists_hide_is_asked_for(self, world: World, recording: Recording, kept: Any) -> None:
        world.keptn.add_resource("podtato", "job/config.yaml", "hidden", "dev", "my.gitlab")
        run = run_of(world)
        run = replace(run, event=replace(run.event, service="my.gitlab"))

        assert find(world, lookup(world, kept), run).raw == b"hidden"
        assert "list" not in asked(recording)


def test_stages_that_are_directories_are_listed_as_well(
    world: World, recording: Recording, kept: Any
) -> None:
    world.keptn.delete_project("podtato")
    world.keptn.resources.has_stage_directories = True
    world.keptn.create_project("podtato", SHIPYARD, ("head",))
    write(world, "stage", "the stage's")

    assert find(world, lookup(world, kept)).raw == b"the stage's"
    assert asked(recording) == ["list", "project", "stage"]


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
    run = run_of(world)
    find(world, lookup(world, kept), run)
    asked(recording)
    write(world, "service", "is not at the commit")
    write(world, "project", "the project's")
    world.clock.advance(3600)

    found = find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))

    assert found.raw == b"the project's"
    assert asked(recording) == ["project"]


@pytest.mark.parametrize("level", ["service", "stage", "project"])
@pytest.mark.parametrize("has_commit", [True, False])
def test_what_was_added_changed_or_removed_is_what_the_next_task_gets(
    world: World, kept: Any, level: str, has_commit: bool
) -> None:
    place = At("podtato", *LEVELS[level])
    first = find(world, lookup(world, kept), run_of(world, None if has_commit else ""))
    found = [first.raw]
    for change in ("added", "changed", ""):
        if change:
            write(world, level, change)
        else:
            world.keptn.resources.delete(place, "job%2Fconfig.yaml")
        world.clock.advance(6)
        commit = world.keptn.resources.head("podtato", "dev") if has_commit else ""
        found.append(find(world, lookup(world, kept), run_of(world, commit)).raw)

    assert found == [BUNDLED.read_bytes(), b"added", b"changed", BUNDLED.read_bytes()]


def test_two_workers_at_once_list_once(world: World, recording: Recording, kept: Any) -> None:
    run = run_of(world)
    first, second = lookup(world, kept), lookup(world, kept)
    listed = first._control_plane.listed_resources

    def slowly(*arguments: Any, **more: Any) -> tuple[str, list[str]]:
        with pytest.raises(Unreachable, match="another worker"):
            second.find(run, Deadline.after(world.clock, 30))
        return listed(*arguments, **more)

    first._control_plane.listed_resources = slowly  # type: ignore[method-assign]

    assert find(world, first, run) == find(world, second, run)
    assert Counter(asked(recording)) == {"list": 1, "project": 1}


def test_what_only_a_404_says_is_remembered_for_a_minute(
    world: World, recording: Recording, kept: Any
) -> None:
    """Seen: one wrong 404, and the project's job config ran in place of the service's for a week."""
    write(world, "service", "the service's")
    run = run_of(world)
    write(world, "stage", "the list is of another commit")
    wrong = Answer(404, '{"code": 404, "message": "Resource not found"}', "application/json")
    world.keptn.faults.add(wrong, f"{ASK}.*/job")
    assert find(world, lookup(world, kept), run).raw == BUNDLED.read_bytes()
    world.keptn.faults.clear()
    asked(recording)
    world.clock.advance(59)
    find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))
    assert asked(recording) == ["project"]
    world.clock.advance(2)

    found = find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))

    assert found.raw == b"the service's"


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

    def test_a_service_that_is_not_there_yet_is_asked_for_again(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        run = run_of(world, "")
        run = replace(run, event=replace(run.event, service="new"))
        find(world, lookup(world, kept), run)
        world.keptn.add_resource("podtato", "job/config.yaml", "its own", "dev", "new")
        world.clock.advance(6)

        found = find(world, lookup(world, kept), replace(run, claimed_at=world.clock.now()))

        assert found.raw == b"its own"

    def test_with_zero_seconds_nothing_serves_that_was_asked_for_before(
        self, world: World, recording: Recording, kept: Any
    ) -> None:
        for _ in range(3):
            find(world, lookup(world, kept, max_age=0), run_of(world, ""))
            world.clock.advance(1)

        assert asked(recording) == ["service", "stage", "project"] * 3

    def test_with_zero_seconds_an_old_answer_does_not_serve_while_keptn_is_busy(
        self, world: World, kept: Any
    ) -> None:
        write(world, "project", "old")
        find(world, lookup(world, kept, max_age=0))
        write(world, "project", "new")
        world.keptn.faults.add(Delay(30), ASK)
        world.clock.advance(1)

        assert find(world, lookup(world, kept, max_age=0)).raw == b"new"


class TestWhileKeptnIsBusy:
    """At a commit that is known, nothing is waited for."""

    @pytest.fixture(autouse=True)
    def _known(self, world: World, recording: Recording, kept: Any) -> None:
        write(world, "project", "old")
        find(world, lookup(world, kept))
        write(world, "project", "new")
        world.clock.advance(30)
        asked(recording)

    @pytest.mark.parametrize("trouble", [Delay(50), Answer(500), Answer(429), DropConnection()])
    def test_what_is_known_of_the_projects_own_serves(
        self, world: World, recording: Recording, kept: Any, trouble: Any
    ) -> None:
        world.keptn.faults.add(trouble, ASK)
        begun = world.clock.now()

        found = [find(world, lookup(world, kept)).raw for _ in range(20)]

        assert found == [b"old"] * 20
        assert world.clock.now() - begun < PATIENCE + 1, "all wait together, and nobody after that"

    def test_a_quiet_keptn_gives_the_new_one(self, world: World, kept: Any) -> None:
        assert find(world, lookup(world, kept)).raw == b"new"

    def test_a_change_is_seen_within_two_minutes(self, world: World, kept: Any) -> None:
        world.keptn.faults.add(Delay(50), ASK)
        world.clock.advance(91)
        begun = world.clock.now()

        assert find(world, lookup(world, kept)).raw == b"new"
        assert world.clock.now() - begun == 50

    def test_an_answer_that_took_long_serves_as_long_as_another(self, world: World, kept: Any) -> None:
        """Or none would serve for long, of a Keptn that answers after a minute."""
        world.keptn.faults.add(Delay(50), ASK)
        world.clock.advance(91)
        find(world, lookup(world, kept))
        world.clock.advance(110)
        begun = world.clock.now()

        find(world, lookup(world, kept))

        assert world.clock.now() - begun < PATIENCE + 1

    def test_keptn_is_asked_twice_a_minute(self, world: World, recording: Recording, kept: Any) -> None:
        asks = world.keptn.faults.add(Delay(50), ASK)

        for _ in range(80):
            find(world, lookup(world, kept))
            world.clock.advance(1)

        assert 2 <= asks.seen <= 3

    def test_who_comes_while_another_asks_waits_as_long_as_he(self, world: World, kept: Any) -> None:
        place = Place(("podtato",), "", JOB_CONFIG)
        begun, known = world.clock.now(), kept.known(place)
        assert kept.claim(place, "another", begun, begun + 30, known.asked_at)

        assert find(world, lookup(world, kept)).raw == b"old"
        assert PATIENCE <= world.clock.now() - begun < PATIENCE + 1


def test_levels_beyond_the_one_that_had_it_last_are_not_asked(
    world: World, recording: Recording, kept: Any
) -> None:
    look = lookup(world, kept)
    write(world, "service", "one")
    find(world, look)
    asked(recording)
    write(world, "service", "two")

    find(world, look, run_of(world, world.keptn.resources.head("podtato", "dev")))

    assert asked(recording) == ["service"]


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
        assert find(world, look, run_of(world, "")).raw == BUNDLED.read_bytes()
    finally:
        waiting.shutdown()


def list_of(run: Run) -> Place:
    return Place(("podtato", "dev"), run.event.commit, "")


def test_while_one_lists_the_others_wait_for_what_it_hears(
    world: World, recording: Recording, kept: Any
) -> None:
    run = run_of(world)
    waited = world.clock.now()
    assert kept.claim(list_of(run), "one", waited, waited + 65, 0.0)

    def come() -> None:
        if world.clock.now() >= waited + 3 and not kept.known(list_of(run)).asked_at:
            kept.note(list_of(run), b'["head"]', world.clock.now(), world.clock.now())

    world.clock.on_advance.append(come)
    write(world, "service", "is not at the commit")

    find(world, lookup(world, kept), run)

    assert asked(recording)[0] == "project", "nobody else lists"
    assert 3 <= world.clock.now() - waited < 6


def test_one_that_is_lost_while_it_lists_holds_nobody_up_for_ever(
    world: World, recording: Recording, kept: Any
) -> None:
    run, begun = run_of(world), world.clock.now()
    kept.claim(list_of(run), "lost", begun, begun + 65, 0.0)

    find(world, lookup(world, kept), run)

    assert 65 <= world.clock.now() - begun < 70
    assert Counter(asked(recording)) == {"list": 1, "project": 1}


def test_one_that_fails_lets_the_next_ask_soon(world: World, recording: Recording, kept: Any) -> None:
    run = run_of(world)
    world.keptn.faults.add(Answer(502), ASK)
    with pytest.raises(Unreachable):
        find(world, lookup(world, kept), run)
    world.keptn.faults.clear()
    begun = world.clock.now()

    find(world, lookup(world, kept), run)

    assert world.clock.now() - begun <= 2 * 16


REFUSED = Answer(424, '{"code": 424, "message": "Invalid git token"}', "application/json")


@pytest.mark.parametrize("fault", [Answer(500), Answer(502), Answer(429), REFUSED, DropConnection()])
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


def test_the_reason_is_what_keptn_said_last(world: World, kept: Any) -> None:
    run = run_of(world)
    world.keptn.faults.add(REFUSED, ASK)

    for _ in range(2):
        with pytest.raises(Unreachable, match="424 Invalid git token"):
            find(world, lookup(world, kept), run)


def test_those_who_ask_again_do_not_all_come_back_at_once(world: World, recording: Recording) -> None:
    world.keptn.faults.add(Answer(502), ASK)
    run = run_of(world)
    gone: set[float] = set()
    for seed in range(5):
        look = lookup(world, jitter=random.Random(seed).random)
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
        def fail(*_: Any, **__: Any) -> Any:
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
    run = run_of(world)
    find(world, lookup(world, kept), run)
    del kept.answers[Place(("podtato", "dev"), run.event.commit, JOB_CONFIG)]

    assert find(world, lookup(world, kept)).raw == b"the stage's"


def test_a_file_that_is_too_large_to_keep_is_read_by_each(
    world: World, recording: Recording, kept: Any
) -> None:
    content = "#" * 400_000
    write(world, "stage", content)

    found = [find(world, lookup(world, kept)) for _ in range(2)]

    assert {each.raw for each in found} == {content.encode()}
    assert asked(recording) == ["list", "project", "stage", "stage"]
    assert lookup(world, kept).keep(found[0]) == ""


def test_an_old_keptn_says_so_in_its_own_words(kept: Any) -> None:
    world = World(release=RELEASE_0_16)
    recording = record(world)
    run = run_of(world, "")

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
