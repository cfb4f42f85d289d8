"""How soon the next cycle begins."""

from control.pace import BUSY_FOR, SLOWEST, Pace
from tests.support.clock import SimulatedClock


def test_without_work_the_pace_is_the_idle_one() -> None:
    pace = Pace(10.0, 1.0, SimulatedClock())

    assert (pace.is_busy, pace.seconds) == (False, 10.0)


def test_with_work_and_half_a_minute_beyond_it_is_the_busy_one() -> None:
    clock = SimulatedClock()
    pace = Pace(10.0, 1.0, clock)
    pace.work()

    clock.advance(BUSY_FOR - 0.5)
    assert (pace.is_busy, pace.seconds) == (True, 1.0)
    clock.advance(0.5)
    assert (pace.is_busy, pace.seconds) == (False, 10.0)


def test_what_another_poller_said_counts_for_as_long_as_it_said() -> None:
    clock = SimulatedClock()
    pace = Pace(10.0, 1.0, clock)
    pace.work(clock.now() + 7)

    clock.advance(6.5)
    assert pace.seconds == 1.0
    clock.advance(0.5)
    assert pace.seconds == 10.0


def test_zero_seconds_are_no_pace_of_their_own() -> None:
    pace = Pace(10.0, 0.0, SimulatedClock())
    pace.work()

    assert (pace.knows_busy, pace.is_busy, pace.seconds) == (False, False, 10.0)


def test_a_plane_that_polls_once_a_tick_polls_on_while_it_has_work() -> None:
    pace = Pace(0.0, 1.0, SimulatedClock())
    assert pace.seconds == 0.0
    pace.work()
    assert pace.seconds == 1.0


def test_work_never_slows_a_plane_down() -> None:
    pace = Pace(2.0, 5.0, SimulatedClock())
    pace.work()

    assert pace.seconds == 2.0


def test_a_keptn_in_trouble_is_asked_half_as_often_each_time() -> None:
    pace = Pace(10.0, 1.0, SimulatedClock())
    pace.work()
    paces = []
    for _ in range(5):
        pace.answered(0.01, failed=True)
        paces.append(pace.seconds)

    assert paces == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_keptn_that_is_well_again_is_asked_twice_as_often_each_time() -> None:
    pace = Pace(10.0, 1.0, SimulatedClock())
    pace.work()
    for _ in range(5):
        pace.answered(0.01, failed=True)
    paces = []
    for _ in range(5):
        pace.answered(0.01, failed=False)
        paces.append(pace.seconds)

    assert paces == [5.0, 2.5, 1.25, 1.0, 1.0]


def test_slow_answers_leave_keptn_as_much_time_for_others() -> None:
    pace = Pace(10.0, 1.0, SimulatedClock())
    pace.work()
    pace.answered(3.0, failed=False)

    assert pace.seconds == 6.0


def test_a_plane_that_polls_once_a_tick_has_a_slowest_pace_too() -> None:
    pace = Pace(0.0, 1.0, SimulatedClock())
    pace.work()
    pace.answered(60.0, failed=True)

    assert pace.seconds == SLOWEST
