"""A plane whose stack is deleted."""

from control.looks import Looks
from deletion.finalizer import DELETED, Finalizer
from deletion.last_steps import LastSteps
from execution_plane.clock import Deadline
from execution_plane.ledger.replies import Replies
from tests.support.clock import Inline
from tests.support.world import Plane


def delete_stack(plane: Plane, seconds: float = 60.0) -> int:
    """End what is open, in so many seconds; how many runs owed Keptn a finished."""
    control_plane = plane.world.client()
    replies = Replies(control_plane, plane.ledger, plane.clock, patient=False)
    steps = LastSteps(plane.steps(), DELETED.message, plane.clock, Inline())
    finalizer = Finalizer(
        ledger=plane.ledger,
        looks=Looks(control_plane),
        replies=replies,
        steps=steps,
        clock=plane.clock,
        pool=Inline(),
    )
    return finalizer.finish(Deadline.after(plane.clock, seconds))
