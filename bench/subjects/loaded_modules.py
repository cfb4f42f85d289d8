"""What a tick has loaded: the answer is the names of all modules after it."""

import json
import sys

from bench.subjects.lambda_context import LambdaContext
from poller import handler

handler({}, LambdaContext())
print(json.dumps(sorted(sys.modules)))
