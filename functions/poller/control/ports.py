"""What the poller talks to; `poller.assemble` puts it together."""

from concurrent.futures import Executor
from dataclasses import dataclass

from control.dispatch import Dispatcher, FailureQueue
from control.looks import Looks
from execution_plane.clock import Clock
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import SubscriptionSource
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.table import Ledger
from execution_plane.steps import Steps


@dataclass(frozen=True)
class Ports:
    """What the poller talks to, by which clock, and how much of it at once."""

    control_plane: ControlPlane
    looks: Looks
    ledger: Ledger
    replies: Replies
    dispatcher: Dispatcher
    failures: FailureQueue
    steps: Steps
    subscriptions: SubscriptionSource
    errors: ErrorLog
    clock: Clock
    pool: Executor
