"""Parse output of list-access-keys into credentials and links to their users.

The answer names a user without its path or account. The account is encoded in the key
id (not in ids issued before 2019), so the link goes to
`arn:aws:iam::ACCOUNT:user/NAME`; for a user with a path, (account, name) still
identifies it, since user names are unique within an account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    AnswerFields,
    AwsAnswer,
    AwsTimestamp,
    describe_decode_error,
    parse_timestamp_ns,
    wrong_kind_error,
)
from answerable.connectors.formats.problem_collector import ProblemCollector
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.ids import (
    IdentityId,
    build_aws_credential_id,
    decode_access_key_account,
    is_access_key_id,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import ReadProblem, SightedFacts

EXPECTED_KIND = "output of list-access-keys"
LINK_SOURCE = "list-access-keys"


class AccessKeyLastUsed(msgspec.Struct, rename="pascal", frozen=True):
    """Last use of an access key."""

    last_used_date: AwsTimestamp = None


class AccessKeyMetadata(msgspec.Struct, rename="pascal", frozen=True):
    """Metadata of an access key."""

    user_name: str
    access_key_id: str
    status: str = ""
    create_date: AwsTimestamp = None
    access_key_last_used: AccessKeyLastUsed | None = None


class _LastUsedAnswer(msgspec.Struct, rename="pascal", frozen=True):
    access_key_last_used: AccessKeyLastUsed


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """Known facts about the account from other answers.

    Attributes:
        account: Account number, empty if only the key ids contain it.
        users: ARN by user name.
    """

    account: str = ""
    users: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _AccessKeyReader(ProblemCollector):
    """Keys under construction; of equal ids the first one is kept."""

    keys: dict[str, tuple[AccessKeyMetadata, str]] = field(default_factory=dict)
    last_uses: dict[str, int] = field(default_factory=dict)
    account: str = ""


def parse_access_keys(
    answers: Sequence[tuple[str, AwsAnswer]],
    *,
    source: str,
    now: int,
    known_account: KnownAccount | None = None,
) -> tuple[SightedFacts, tuple[ReadProblem, ...]]:
    """Parse IAM `list-access-keys` answers to credentials.

    Args:
        answers: Pairs (file or API call, answer). An answer may also be a map from
            user name to answer, or from key id to a get-access-key-last-used answer, a
            single entry of `AccessKeyMetadata`, or a get-caller-identity answer with
            the account.
        source: The sync's source.
        now: UTC nanoseconds.
        known_account: Known facts about the account.

    Raises:
        UsageError: An answer is of another kind.
    """
    reading = _AccessKeyReader()
    for place, answer in answers:
        base = f"{place}#{answer.pointer}"
        if not _read_key_answer(reading, answer.fields, base):
            raise wrong_kind_error(answer.fields, place, EXPECTED_KIND)
    facts = _build_facts(reading, known_account or KnownAccount(), source, now)
    return facts, tuple(reading.problems)


def _read_key_answer(
    reader: _AccessKeyReader, fields: AnswerFields, parent_place: str
) -> bool:
    """Read one answer of any form; False if it is none."""
    if "AccessKeyMetadata" in fields:
        _read_access_key_list(reader, fields, parent_place)
        return True
    if "AccessKeyId" in fields:
        _read_access_key(reader, msgspec.Raw(msgspec.json.encode(fields)), parent_place)
        return True
    if "Account" in fields and "Arn" in fields:
        reader.account = _read_account_number(fields["Account"])
        return True
    taken = [
        _read_keyed_entry(reader, key, raw, parent_place) for key, raw in fields.items()
    ]
    return bool(taken) and all(taken)


def _read_keyed_entry(
    reader: _AccessKeyReader, key: str, raw: msgspec.Raw, parent_place: str
) -> bool:
    """Read a last-use answer or a key list stored under a key; False if neither."""
    place = f"{parent_place}/{key}"
    try:
        if is_access_key_id(key):
            used = msgspec.json.decode(raw, type=_LastUsedAnswer).access_key_last_used
            reader.last_uses[key] = parse_timestamp_ns(used.last_used_date)
            return True
        fields = msgspec.json.decode(raw, type=AnswerFields)
    except DECODE_ERRORS:
        return False
    if "AccessKeyMetadata" not in fields:
        return False
    _read_access_key_list(reader, fields, place)
    return True


def _read_access_key_list(
    reader: _AccessKeyReader, fields: AnswerFields, parent_place: str
) -> None:
    """Read the list `AccessKeyMetadata` of an answer."""
    place = f"{parent_place}/AccessKeyMetadata"
    if bytes(fields.get("IsTruncated", b"false")) == b"true":
        reader.add_problem(
            parent_place, "the response is truncated: its remaining entries are missing"
        )
    try:
        raws = msgspec.json.decode(fields["AccessKeyMetadata"], type=list[msgspec.Raw])
    except DECODE_ERRORS as error:
        reader.add_problem(place, describe_decode_error(error))
        return
    for index, raw in enumerate(raws):
        _read_access_key(reader, raw, f"{place}/{index}")


def _read_access_key(reader: _AccessKeyReader, raw: msgspec.Raw, place: str) -> None:
    """Read one access key of a list."""
    try:
        key = msgspec.json.decode(raw, type=AccessKeyMetadata)
    except DECODE_ERRORS as error:
        reader.add_problem(place, describe_decode_error(error))
        return
    if not is_access_key_id(key.access_key_id):
        reader.add_problem(place, "AccessKeyId is not an access key id")
        return
    reader.keys.setdefault(key.access_key_id, (key, place))


def _read_account_number(raw: msgspec.Raw) -> str:
    """Return a 12-digit account number, empty for anything else."""
    try:
        text = msgspec.json.decode(raw, type=str)
    except DECODE_ERRORS:
        return ""
    return text if len(text) == 12 and text.isdecimal() else ""


def _build_facts(
    reader: _AccessKeyReader, known_account: KnownAccount, source: str, now: int
) -> SightedFacts:
    """Build a credential for each key, and its link to the user."""
    credentials: list[Credential] = []
    links: list[CredentialLink] = []
    for key, place in reader.keys.values():
        seen = FactProvenance(source, place, WrittenBy.PLATFORM, now)
        inside = decode_access_key_account(key.access_key_id)
        account = known_account.account or inside or reader.account
        credential = _build_credential(key, account, reader.last_uses, seen)
        credentials.append(credential)
        identity = known_account.users.get(key.user_name) or (
            f"arn:aws:iam::{account}:user/{key.user_name}" if account else ""
        )
        if identity:
            link = CredentialLink(
                credential.id, IdentityId(identity), LINK_SOURCE, seen
            )
            links.append(link)
        else:
            reader.add_problem(
                place,
                "the key's account cannot be derived from its id, so its user is "
                "unknown: add the response of get-caller-identity",
            )
    return SightedFacts(credentials=tuple(credentials), links=tuple(links))


def _build_credential(
    key: AccessKeyMetadata,
    account: str,
    last_uses: Mapping[str, int],
    provenance: FactProvenance,
) -> Credential:
    """Build the credential of one access key."""
    last = key.access_key_last_used
    return Credential(
        id=build_aws_credential_id(key.access_key_id),
        kind="aws-access-key",
        cls=CredentialClass.RECORD,
        lifetime=CredentialLifetime.STATIC,
        name=key.user_name,
        place=f"iam:ListAccessKeys#{key.user_name}",
        scope="",
        hint="",
        account=account,
        status=key.status.lower(),
        created_at=parse_timestamp_ns(key.create_date),
        expires_at=0,
        last_used_at=parse_timestamp_ns(last.last_used_date)
        if last
        else last_uses.get(key.access_key_id, 0),
        seen=provenance,
    )
