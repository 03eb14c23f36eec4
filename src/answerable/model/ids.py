"""Build and validate typed ids, such as `agent:`, `tool:`, `cred:` and ARNs.

The spellings are those of the command line's contract. An id is a `NewType` of `str`
(an event id of `bytes`), so it costs nothing at run time and is never confused by the
type checker.
"""

import re
import struct
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NewType, cast

from answerable.model.errors import IdError

PersonId = NewType("PersonId", str)
AgentId = NewType("AgentId", str)
ToolId = NewType("ToolId", str)
IdentityId = NewType("IdentityId", str)
CredentialId = NewType("CredentialId", str)
ResourceId = NewType("ResourceId", str)
PolicyId = NewType("PolicyId", str)
EventId = NewType("EventId", bytes)

_PRINTABLE = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?")
_ACCESS_KEY = re.compile(r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,124}")
_unpack_hash = struct.Struct(">QH").unpack_from
_pack_uuid = struct.Struct(">QQ").pack
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _check_printable_name(prefix: str, text: str, kind: str) -> str:
    """Check that a name is printable; return it with its prefix."""
    bare = text.removeprefix(prefix)
    if not _PRINTABLE.fullmatch(bare):
        hint = f"use a name of printable characters, such as {prefix}ana"
        article = "an" if kind[0] in "aeiou" else "a"
        raise IdError(
            f"not {article} {kind} (got {text!r}, expected {prefix}NAME)", hint
        )
    return prefix + bare


def build_person_id(text: str) -> PersonId:
    """Build `person:EMAIL-or-handle`, with the handle in lower case.

    Raises:
        IdError: The text is empty or holds control characters.
    """
    return PersonId(
        _check_printable_name("person:", normalise_handle(text.strip()), "person")
    )


def normalise_handle(text: str) -> str:
    """Fold a handle or address, so that equivalent ones become equal.

    NFKC, then case folding (Unicode Standard 3.13, D146): the only comparison of names.
    """
    return text.lower() if text.isascii() else _fold_unicode_and_case(text)


@lru_cache(maxsize=4096)
def _fold_unicode_and_case(text: str) -> str:
    """Fold a text by NFKC and case folding, until it no longer changes."""
    # Folding may bring about a letter that NFKC composes otherwise: twice is enough.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def build_agent_id(kind: str, *parts: str) -> AgentId:
    """Build `agent:KIND/PART/...`; slashes inside a part are kept.

    Raises:
        IdError: A part is empty or holds control characters.
    """
    return AgentId(_check_printable_name("agent:", "/".join((kind, *parts)), "agent"))


def build_mcp_tool_id(server: str, tool: str = "*") -> ToolId:
    """Build `tool:mcp/SERVER/TOOL`; `*` if the server's tools are not known.

    Raises:
        IdError: A part is empty or holds control characters.
    """
    return ToolId(_check_printable_name("tool:", f"mcp/{server}/{tool}", "tool"))


def build_client_tool_id(client: str, name: str) -> ToolId:
    """Build `tool:CLIENT/NAME` for a tool that an agent's client contains.

    Raises:
        IdError: A part is empty or holds control characters.
    """
    return ToolId(_check_printable_name("tool:", f"{client}/{name}", "tool"))


def build_aws_credential_id(access_key_id: str) -> CredentialId:
    """Build `cred:aws/AKIA...` from an AWS access key id.

    Raises:
        IdError: The text is not an AWS access-key id.
    """
    if not _ACCESS_KEY.fullmatch(access_key_id):
        raise IdError("not an AWS access-key id (expected AKIA... or ASIA...)")
    return CredentialId(f"cred:aws/{access_key_id}")


def is_iam_role_arn(subject: str) -> bool:
    """Return whether an id is the ARN of an IAM role."""
    return subject.startswith("arn:") and ":role/" in subject


def parse_arn_account(text: str) -> str:
    """Return the account of an ARN; empty if the text is no ARN or names none."""
    try:
        return Arn.parse(text).account
    except IdError:
        return ""


def is_access_key_id(text: str) -> bool:
    """Return whether the text has the shape of an AWS access-key id."""
    return _ACCESS_KEY.fullmatch(text) is not None


def decode_access_key_account(access_key_id: str) -> str | None:
    """Decode the twelve-digit account number inside an AWS access-key id.

    The number is base32 after the four-letter prefix, in the first six bytes, shifted
    by seven bits. Key ids issued before 2019 do not carry it: None.
    """
    body = access_key_id[4:]
    if not is_access_key_id(access_key_id) or len(body) < 10:
        return None
    number = 0
    for letter in body[:10]:
        digit = _BASE32.find(letter)
        if digit < 0:
            return None
        number = number << 5 | digit
    # Ten base32 letters are 50 bits; the six bytes wanted are the upper 48.
    account = (number >> 2 & 0x7FFFFFFFFF80) >> 7
    # Key ids that carry an account have the topmost bit set.
    return f"{account:012d}" if number >> 49 else None


def build_token_credential_id(sha256: bytes) -> CredentialId:
    """Build `cred:token/HEX` from the digest of a high-entropy token."""
    return CredentialId(f"cred:token/{sha256.hex()}")


def build_fingerprint_credential_id(fingerprint: str) -> CredentialId:
    """Build `cred:fp/HEX` from a keyed fingerprint of a secret value."""
    return CredentialId(f"cred:fp/{fingerprint}")


def build_command_credential_id(server: str) -> CredentialId:
    """Build `cred:command/NAME` for a server's credential from a command."""
    return CredentialId(f"cred:command/{server}")


@lru_cache(1024)
def _encode_scope(source: str, scope: str) -> bytes:
    """Encode what the ids of one log have in common."""
    return f"{source}\x00{scope}\x00".encode()


def build_event_id(time_ns: int, source: str, scope: str, native: bytes) -> EventId:
    """Build a UUIDv8 (RFC 9562 5.8): 48 bits of time, then 74 bits of SHA-256.

    Args:
        time_ns: Event time, UTC nanoseconds.
        source: Log source, e.g. `cloudtrail`.
        scope: Recording account or host, e.g. an account number.
        native: The source's own id, or the raw bytes where it has none.

    Returns:
        16 bytes that sort by time; the same record always gets the same id.
    """
    digest = sha256(_encode_scope(source, scope) + native).digest()
    first, second = _unpack_hash(digest)  # 74 of these bits
    upper = (time_ns // 1_000_000 & (1 << 48) - 1) << 16 | 0x8 << 12 | first >> 52
    lower = 0b10 << 62 | (first & (1 << 52) - 1) << 10 | second >> 6
    # A call of the type would take a tenth of the time.
    return cast("EventId", _pack_uuid(upper, lower))


@dataclass(frozen=True, slots=True)
class Arn:
    """Amazon Resource Name in its six parts.

    Source: AWS General Reference, "Amazon Resource Names (ARNs)".
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Parse the text of an ARN into its six parts.

        Raises:
            IdError: The text is not `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
        """
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[2]:
            raise IdError(
                f"not an ARN (got {text[:80]!r}, "
                "expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)"
            )
        return cls(*parts[1:])

    def __str__(self) -> str:
        return (
            f"arn:{self.partition}:{self.service}:{self.region}:"
            f"{self.account}:{self.resource}"
        )


def convert_s3_uri(resource: str) -> str:
    """Convert an `s3://` URI to an ARN; other texts stay unchanged."""
    if resource.startswith("s3://"):
        return "arn:aws:s3:::" + resource.removeprefix("s3://").rstrip("/")
    return resource
