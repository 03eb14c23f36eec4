"""The documents that `/api/v1` alone gives: shapes only. See docs/api.md."""

from typing import TypedDict


class DraftItem(TypedDict):
    """A statement that waits for its signature.

    `payload` is what is signed, in base64: a DSSE payload of the type `type`, with the
    owner key `key`.
    """

    key: str
    type: str
    payload: str


class DoneItem(TypedDict):
    """What was done, in a sentence."""

    said: str


class KillItem(TypedDict):
    """Killed subject; by whom, since when and why, null where that is not known."""

    subject: str
    by: str | None
    at: str | None
    reason: str | None


class VerificationItem(TypedDict):
    """One check of the last whole verification; `of` is the size of the log then."""

    check: str
    ok: bool
    detail: str
    hint: str
    at: str
    of: int
