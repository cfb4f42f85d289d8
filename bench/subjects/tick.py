"""One tick of the deployed handler, as on a cold start."""

from bench.subjects.lambda_context import LambdaContext
from poller import handler

handler({}, LambdaContext())
