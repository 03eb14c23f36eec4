"""Pass the standard error of a server on to ours, with its secrets redacted.

A thread reads whole lines and writes them with blocking writes: a client that does not
read slows the server down as it would without us, and no line is buffered beyond
`LINE_LIMIT`. The event loop is not involved.
"""

import os
import select
from collections.abc import Iterator, Sequence
from threading import Thread
from typing import IO

from answerable.gateway.upstream_credentials.leak_filter import (
    NO_SECRETS,
    SecretPatterns,
)

STDERR = 2
LINE_LIMIT = 64 * 1024  # bytes; a secret may lie across the parts of a longer line
SHORTEST = 6  # characters of a secret; a shorter one occurs in other words
_MASK = b"***"
_NOTICES = {
    "long": b"a line of more than 64 KiB on its standard error is withheld",
    "encoded": b"a line with a form of its secret on its standard error is withheld",
    "short": b"its standard error is discarded: a secret is too short to be redacted",
}


class LineRedactor:
    """Redactor of lines.

    Args:
        secrets: Secrets; each line of one that has several is redacted by itself.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        parts = {part.strip() for secret in secrets for part in secret.splitlines()}
        # Lines such as `}` of a secret in JSON say nothing, unless there is no other.
        long = {part for part in parts if len(part) >= SHORTEST}
        self.is_unsafe = any(
            not any(part.strip() in long for part in secret.splitlines())
            for secret in secrets
            if secret.strip()
        )
        self._plain = sorted((each.encode() for each in long), key=len, reverse=True)
        self._encoded: tuple[SecretPatterns, ...] = tuple(
            NO_SECRETS.with_secret(each) for each in long if each.isascii()
        )

    def redact(self, line: bytes) -> bytes:
        """Return a line as it may be shown."""
        for secret in self._plain:
            line = line.replace(secret, _MASK)
        if any(patterns.occurs_in(line) for patterns in self._encoded):
            return _format_notice("encoded")
        return line


class StderrRelay:
    """Relay of one server's standard error, which ends with it.

    Args:
        source: Read end of its standard error; closed at the end.
        secrets: Secrets that the server was given.
    """

    def __init__(self, source: IO[bytes], secrets: Sequence[str]) -> None:
        self._source = source
        self._redactor = LineRedactor(secrets)
        self._thread = Thread(
            target=self._relay_lines, name="stderr-relay", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all is passed on, for a limited time."""
        self._thread.join(seconds)

    def _relay_lines(self) -> None:
        """Pass lines on until the end; drain what can no longer be written."""
        redactor, is_open = self._redactor, True
        if redactor.is_unsafe:
            _write_all(_format_notice("short"))
            is_open = False
        for line in _read_lines(self._source.fileno()):
            if is_open:
                is_open = _write_all(redactor.redact(line))
        self._source.close()


def _read_lines(handle: int) -> Iterator[bytes]:
    """Yield whole lines; a notice for one that is too long."""
    rest, skips = b"", False
    while data := os.read(handle, LINE_LIMIT):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield _format_notice("long") if skips else line + b"\n"
            skips = False
        if len(rest) > LINE_LIMIT:
            rest, skips = b"", True
    if rest or skips:
        yield _format_notice("long") if skips else rest


def _format_notice(kind: str) -> bytes:
    """Return the notice that replaces a withheld line."""
    return b"answerable: " + _NOTICES[kind] + b"\n"


def _write_all(data: bytes) -> bool:
    """Write to our standard error; False where its reader is gone."""
    while data:
        try:
            data = data[os.write(STDERR, data) :]
        except BlockingIOError:
            select.select((), (STDERR,), ())
        except OSError:
            return False
    return True
