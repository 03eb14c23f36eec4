"""Detect a server's credential in its response, while the response streams.

Only a possible beginning of a secret is buffered: a few bytes, where a piece ends in
the middle of one. The text is decoded, layer by layer, and each encoding of the secret
is searched by itself: that is several times faster on large bodies than one automaton
for all of them, whose prefilter fails on base64 (decision 0024 has the figures).
"""

from answerable.gateway.upstream_credentials.escape_decoder import (
    ESCAPE_BYTES,
    MAX_ESCAPE,
    decode_escape_layers,
    find_first_escape,
    remove_backslashes,
)
from answerable.gateway.upstream_credentials.secret_encodings import (
    WINDOW,
    list_escaped_secret_encodings,
    list_secret_encodings,
)
from answerable.gateway.wire.http_heads import UpstreamHead
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_SECRETS = 2  # secrets of one server: the newest, and the one before it
_MIN_PREFIX = 4  # bytes that a beginning is looked for by


class SecretPatterns:
    """Search patterns for the secrets of one server.

    Args:
        tails: Ends of the secrets, the newest first.

    Attributes:
        clean: Last head that contained none of them.
    """

    def __init__(self, tails: tuple[str, ...]) -> None:
        self.clean: UpstreamHead | None = None
        self._tails = tails
        self._spelled = tuple(
            {each: 0 for tail in tails for each in list_secret_encodings(tail)}
        )
        self._escaped = tuple(
            each for tail in tails for each in list_escaped_secret_encodings(tail)
        )
        found = self._spelled + self._escaped
        self._longest = max(map(len, found), default=0)
        self._within = frozenset(b"".join(each[:-1] for each in found))
        if found:
            self._within |= ESCAPE_BYTES
        self._begins = {
            each[:size]
            for each in found
            for size in range(1, min(_MIN_PREFIX, len(each)))
        }

    def __repr__(self) -> str:
        """Show no secret."""
        return "Leaks()"

    def with_secret(self, secret: str) -> "SecretPatterns":
        """Add a newer secret; an older one may still be in a server's cache."""
        tail = secret[-WINDOW:]
        before = tuple(each for each in self._tails if each != tail)
        return SecretPatterns((tail, *before[: MAX_SECRETS - 1]))

    def occurs_in(self, data: bytes) -> bool:
        """Return whether bytes contain the secret, in any of its encodings."""
        if not self._spelled:
            return False
        # Not `any`: this is run for every answer.
        for layer in decode_escape_layers(data):
            text = remove_backslashes(layer)
            for each in self._spelled:
                if each in text:
                    return True
            for each in self._escaped:
                if each in layer:
                    return True
        return False

    def count_partial_secret_bytes(self, data: bytes) -> int:
        """Count the bytes at the end that may be the beginning of a secret.

        Where escapes are among them it is an upper bound, of `MAX_ESCAPE` bytes for each
        character.
        """
        if not data or data[-1] not in self._within:
            return 0
        tail = data[-self._longest * MAX_ESCAPE :]
        if find_first_escape(tail) == len(tail):
            return self._count_partial_secret_text(tail)
        # An escape may not be complete yet, and then the text before it counts.
        at = find_first_escape(tail[-MAX_ESCAPE:])
        partial = len(tail[-MAX_ESCAPE:]) - at
        whole = tail[: len(tail) - partial]
        layers = [each for text in (tail, whole) for each in decode_escape_layers(text)]
        texts = (each for it in layers for each in (it, remove_backslashes(it)))
        most = max(map(self._count_partial_secret_text, texts))
        return min(most * MAX_ESCAPE + partial, len(data))

    def _count_partial_secret_text(self, tail: bytes) -> int:
        """Count the bytes at the end of a text that may begin a secret."""
        if not tail:
            return 0
        forms = self._spelled + self._escaped
        most = max((_count_encoding_prefix(tail, each) for each in forms), default=0)
        if most:
            return most
        short = range(_MIN_PREFIX - 1, 0, -1)
        return next((size for size in short if tail[-size:] in self._begins), 0)


NO_SECRETS = SecretPatterns(())


class LeakFilter:
    """Leak filter of one answer."""

    __slots__ = ("_held", "_leaks")

    def __init__(self, leaks: SecretPatterns) -> None:
        self._leaks = leaks
        self._held = b""

    def check_head(self, head: UpstreamHead) -> None:
        """Refuse a server's reply head that contains the injected credential.

        Raises:
            Refused: They contain the credential.
        """
        leaks = self._leaks
        if head is leaks.clean:
            return  # the same head was checked before
        session = (head.session or "").encode("latin-1")
        if leaks.occurs_in(head.heading.spelled) or leaks.occurs_in(session):
            raise RequestRefused(RefusalReason.CREDENTIAL)
        leaks.clean = head

    def check_body_piece(self, data: bytes) -> bytes:
        """Check a piece; return the bytes that may pass, keep the rest.

        Raises:
            Refused: It contains the credential.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        leaks = self._leaks
        if leaks.occurs_in(data):
            raise RequestRefused(RefusalReason.CREDENTIAL)
        begun = leaks.count_partial_secret_bytes(data)
        if not begun:
            return data
        self._held = data[-begun:]
        return data[:-begun]

    def take_buffered_bytes(self) -> bytes:
        """Return the buffered bytes: no further ones can complete a secret."""
        held, self._held = self._held, b""
        return held


def _count_encoding_prefix(tail: bytes, encoding: bytes) -> int:
    """Count the bytes at the end that begin one encoding, if they are 4 or more."""
    start = encoding[:_MIN_PREFIX]
    at = tail.find(start, max(0, len(tail) - len(encoding) + 1))
    while at >= 0:
        if encoding.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(start, at + 1)
    return 0
