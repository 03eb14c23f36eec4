"""Parser of list-access-keys answers: credentials, and links to their users.

The answer names a user without its path or account. The account is encoded in the key
id (not in ids issued before 2019), so the link goes to
`arn:aws:iam::ACCOUNT:user/NAME`; for a user with a path, (account, name) still
identifies it, since user names are unique within an account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.formats.aws_api_answers import (
    UNREADABLE,
    Answer,
    Fields,
    Stamp,
    stamp_ns,
    why_invalid,
    wrong_kind,
)
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLink,
    Lifetime,
)
from answerable.model.ids import (
    IdentityId,
    access_key_account,
    aws_credential_id,
    is_access_key_id,
)
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.sighting import Facts, Problem, ProblemKind

EXPECTED = "list-access-keys answers"
HOW = "list-access-keys"


class Used(msgspec.Struct, rename="pascal", frozen=True):
    """Last use of an access key."""

    last_used_date: Stamp = None


class Metadata(msgspec.Struct, rename="pascal", frozen=True):
    """Metadata of an access key."""

    user_name: str
    access_key_id: str
    status: str = ""
    create_date: Stamp = None
    access_key_last_used: Used | None = None


class _LastUsed(msgspec.Struct, rename="pascal", frozen=True):
    access_key_last_used: Used


@dataclass(frozen=True, slots=True)
class Known:
    """Known facts about the account from other answers.

    Attributes:
        account: Account number, empty if only the key ids contain it.
        users: ARN by user name.
    """

    account: str = ""
    users: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """Keys under construction; of equal ids the first one is kept."""

    keys: dict[str, tuple[Metadata, str]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    account: str = ""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: str, what: str) -> None:
        self.problems.append(Problem(ProblemKind.INVALID, place, what))


def access_keys(
    placed: Sequence[tuple[str, Answer]],
    *,
    source: str,
    now: int,
    known: Known | None = None,
) -> tuple[Facts, tuple[Problem, ...]]:
    """Parse list-access-keys answers.

    Args:
        placed: Pairs (file or API call, answer). An answer may also be a map from
            user name to answer, or from key id to a get-access-key-last-used answer, a
            single entry of `AccessKeyMetadata`, or a get-caller-identity answer with
            the account.
        source: The sync's source.
        now: UTC nanoseconds.
        known: Known facts about the account.

    Raises:
        UsageError: An answer is of another kind.
    """
    reading = _Reading()
    for place, answer in placed:
        base = f"{place}#{answer.pointer}"
        if not _answer(reading, answer.fields, base):
            raise wrong_kind(answer.fields, place, EXPECTED)
    facts = _facts(reading, known or Known(), source, now)
    return facts, tuple(reading.problems)


def _answer(reading: _Reading, fields: Fields, base: str) -> bool:
    """Read one answer of any form; False if it is none."""
    if "AccessKeyMetadata" in fields:
        _metadata(reading, fields, base)
        return True
    if "AccessKeyId" in fields:
        _record(reading, msgspec.Raw(msgspec.json.encode(fields)), base)
        return True
    if "Account" in fields and "Arn" in fields:
        reading.account = _word(fields["Account"])
        return True
    taken = [_entry(reading, key, raw, base) for key, raw in fields.items()]
    return bool(taken) and all(taken)


def _entry(reading: _Reading, key: str, raw: msgspec.Raw, base: str) -> bool:
    place = f"{base}/{key}"
    try:
        if is_access_key_id(key):
            used = msgspec.json.decode(raw, type=_LastUsed).access_key_last_used
            reading.used[key] = stamp_ns(used.last_used_date)
            return True
        fields = msgspec.json.decode(raw, type=Fields)
    except UNREADABLE:
        return False
    if "AccessKeyMetadata" not in fields:
        return False
    _metadata(reading, fields, place)
    return True


def _metadata(reading: _Reading, fields: Fields, base: str) -> None:
    place = f"{base}/AccessKeyMetadata"
    if bytes(fields.get("IsTruncated", b"false")) == b"true":
        reading.problem(base, "the answer is truncated: more entries follow")
    try:
        raws = msgspec.json.decode(fields["AccessKeyMetadata"], type=list[msgspec.Raw])
    except UNREADABLE as error:
        reading.problem(place, why_invalid(error))
        return
    for index, raw in enumerate(raws):
        _record(reading, raw, f"{place}/{index}")


def _record(reading: _Reading, raw: msgspec.Raw, place: str) -> None:
    try:
        key = msgspec.json.decode(raw, type=Metadata)
    except UNREADABLE as error:
        reading.problem(place, why_invalid(error))
        return
    if not is_access_key_id(key.access_key_id):
        reading.problem(place, "AccessKeyId is not an access-key id")
        return
    reading.keys.setdefault(key.access_key_id, (key, place))


def _word(raw: msgspec.Raw) -> str:
    try:
        text = msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return ""
    return text if len(text) == 12 and text.isdecimal() else ""


def _facts(reading: _Reading, known: Known, source: str, now: int) -> Facts:
    credentials: list[Credential] = []
    links: list[CredentialLink] = []
    for key, place in reading.keys.values():
        seen = Seen(source, place, WrittenBy.PLATFORM, now)
        inside = access_key_account(key.access_key_id)
        account = known.account or inside or reading.account
        credential = _credential(key, account, reading.used, seen)
        credentials.append(credential)
        identity = known.users.get(key.user_name) or (
            f"arn:aws:iam::{account}:user/{key.user_name}" if account else ""
        )
        if identity:
            link = CredentialLink(credential.id, IdentityId(identity), HOW, seen)
            links.append(link)
        else:
            reading.problem(
                place,
                "the key id does not tell its account, so its user is not known: "
                "add the answer of get-caller-identity",
            )
    return Facts(credentials=tuple(credentials), links=tuple(links))


def _credential(
    key: Metadata, account: str, used: Mapping[str, int], seen: Seen
) -> Credential:
    last = key.access_key_last_used
    return Credential(
        id=aws_credential_id(key.access_key_id),
        kind="aws-access-key",
        cls=CredentialClass.RECORD,
        lifetime=Lifetime.STATIC,
        name=key.user_name,
        place=f"iam:ListAccessKeys#{key.user_name}",
        scope="",
        hint="",
        account=account,
        status=key.status.lower(),
        created_at=stamp_ns(key.create_date),
        expires_at=0,
        last_used_at=stamp_ns(last.last_used_date)
        if last
        else used.get(key.access_key_id, 0),
        seen=seen,
    )
