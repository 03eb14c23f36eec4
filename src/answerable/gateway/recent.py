"""What was asked lately: kept in memory for a replay, and written nowhere.

Arguments are kept as long as they are small; of a call with large ones it is known that
there was one.
"""

from collections import deque
from typing import cast

import msgspec

from answerable.model.decision import Request

MOST = 2000  # calls
MOST_BYTES = 4 << 20  # of their arguments
MOST_ARGUMENTS = 16 << 10  # bytes of one


class Recent:
    """The last calls of one worker.

    Args:
        most: How many.
        most_bytes: How many bytes of arguments they may hold together.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: deque[Request | None] = deque()
        self._bytes = 0

    def __repr__(self) -> str:
        """Show no arguments."""
        return f"Recent({len(self._kept)} calls)"

    def keep(self, request: Request) -> None:
        """Keep what was asked; the oldest goes."""
        size = len(request.arguments)
        if size > MOST_ARGUMENTS:
            self._kept.append(None)
        else:
            self._kept.append(_alone(request, size) if size else request)
            self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            oldest = self._kept.popleft()
            self._bytes -= 0 if oldest is None else len(oldest.arguments)

    def requests(self) -> list[Request]:
        """Give what was asked, oldest first."""
        return [each for each in self._kept if each is not None]

    @property
    def left_out(self) -> int:
        """How many of the last calls were too large to be kept."""
        return sum(each is None for each in self._kept)


def _alone(request: Request, size: int) -> Request:
    """Have a request keep no more than its arguments: a piece of a body keeps it all."""
    arguments = request.arguments
    if isinstance(arguments, bytes) or len(cast(bytes, arguments.obj)) == size:
        return request
    return msgspec.structs.replace(request, arguments=bytes(arguments))
