"""The Kubernetes API of a laptop: one synchronous core, to which `embedded/edge` has two doors.

In reading order:
`requests` (a request, its answer, what a path means), `refusals` (Status errors), `registry` (kinds served),
`call`, `ownership` and `cluster` (what all verbs share), `core` (from a request to its verb),
`bodies` and `protobuf` (bytes into JSON), `metadata`, `admission`, `definitions` (what may be stored),
`changes` (create, update, patch), `deletion` (grace, finalizers, garbage), `lists`, `watches`, `scale`,
`podlogs`, `reviews`, `representation` (tables, metadata alone), `discovery`, `openapi`.

Admitted here: what follows from a request, the stored objects and the clock's reading. No waiting.
"""

from embedded.api.core import Api
from embedded.api.requests import ApiRequest, ApiResponse
from embedded.api.watches import Event, Watch

__all__ = ["Api", "ApiRequest", "ApiResponse", "Event", "Watch"]
