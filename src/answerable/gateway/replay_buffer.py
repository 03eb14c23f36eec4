"""Keep the last requests of a worker in memory, for policy replay.

Arguments are kept while they are small; for a call with large ones only the fact that
there was one.
"""

from collections import deque
from typing import cast

import msgspec

from answerable.model.decision import AuthorizationRequest

MAX_CALLS = 2000  # calls
MAX_BYTES = 4 << 20  # of their arguments
MAX_ARGUMENT_BYTES = 16 << 10  # bytes of one


class ReplayBuffer:
    """Last decision requests of one worker.

    Args:
        most: Maximum number of calls.
        most_bytes: Maximum bytes of their arguments in total.
    """

    def __init__(self, most: int = MAX_CALLS, most_bytes: int = MAX_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: deque[AuthorizationRequest | None] = deque()
        self._bytes = 0

    def __repr__(self) -> str:
        """Show no arguments."""
        return f"Recent({len(self._kept)} calls)"

    def append(self, request: AuthorizationRequest) -> None:
        """Append a request and evict the oldest."""
        size = len(request.arguments)
        if size > MAX_ARGUMENT_BYTES:
            self._kept.append(None)
        else:
            self._kept.append(_copy_arguments(request, size) if size else request)
            self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            oldest = self._kept.popleft()
            self._bytes -= 0 if oldest is None else len(oldest.arguments)

    def list_requests(self) -> list[AuthorizationRequest]:
        """Return the recent authorization requests, oldest first."""
        return [each for each in self._kept if each is not None]

    @property
    def skipped_count(self) -> int:
        """Number of recent calls that were too large to keep."""
        return sum(each is None for each in self._kept)


def _copy_arguments(request: AuthorizationRequest, size: int) -> AuthorizationRequest:
    """Copy the arguments, so that the request does not keep the whole body."""
    arguments = request.arguments
    if isinstance(arguments, bytes) or len(cast(bytes, arguments.obj)) == size:
        return request
    return msgspec.structs.replace(request, arguments=bytes(arguments))
