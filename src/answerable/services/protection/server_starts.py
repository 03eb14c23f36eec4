"""Record the last start of each wrapped server, for `protect status`.

A wrapper writes one small file for each server, without waiting for the disk. A start
that cannot be recorded never stops a client.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from answerable.model.errors import AnswerableError
from answerable.store.durable_files import (
    make_private_folder,
    read_regular_file,
    write_file,
)

_FOLDER = "starts"


class ServerStart(msgspec.Struct, frozen=True):
    """Last start of a server.

    Attributes:
        at: UTC nanoseconds.
        failure: Reason why it failed, without secrets; empty where it did not.
    """

    at: int
    failure: str = ""


def record_start(state: Path, server: str, failure: str = "") -> None:
    """Record a start of a server in the gateway's state folder."""
    start = ServerStart(time.time_ns(), failure)
    with contextlib.suppress(AnswerableError, OSError):
        make_private_folder(state / _FOLDER)
        place = state / _FOLDER / f"{server}.json"
        write_file(place, msgspec.json.encode(start), sync=False)


@contextlib.contextmanager
def recording_failed_start(state: Path, server: str) -> Iterator[None]:
    """Record the error with which a server does not start."""
    try:
        yield
    except AnswerableError as error:
        record_start(state, server, error.message)
        raise


def read_starts(state: Path, servers: Iterable[str]) -> Mapping[str, ServerStart]:
    """Read the last starts of servers; without those that have no readable record."""
    found: dict[str, ServerStart] = {}
    for server in servers:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = read_regular_file(state / _FOLDER / f"{server}.json")
            found[server] = msgspec.json.decode(data, type=ServerStart)
    return found
