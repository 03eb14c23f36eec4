"""Result of one run, as its process reports it to the collector."""

import msgspec


class RunResult(msgspec.Struct, frozen=True):
    """Result of one run.

    Attributes:
        failure: Reason that nothing could be read; empty after a success.
        names: Names of the source in the snapshot; empty for logs.
        problems: Unread parts of a log.
        is_partial: A part could not be read.
        stored: Number of new events.
        newest: Time of the newest event that was read, UTC nanoseconds; 0 for none.
    """

    failure: str = ""
    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    is_partial: bool = False
    stored: int = 0
    newest: int = 0
