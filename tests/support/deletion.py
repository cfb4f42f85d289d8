"""A plane whose stack is deleted."""

from deletion.finalizer import Finalizer
from execution_plane.clock import Deadline
from tests.support.clock import Inline
from tests.support.world import Plane


def delete_stack(plane: Plane, seconds: float = 60.0) -> int:
    """End what is open, in so many seconds; how many runs owed Keptn a finished."""
    finalizer = Finalizer(plane.world.client(), plane.ledger, plane.steps(), plane.clock, Inline())
    return finalizer.finish(Deadline.after(plane.clock, seconds))
