"""Decode get-account-authorization-details responses into typed records.

An unreadable record becomes a problem; the rest is kept. Policy documents stay raw
here, so that their own parser sees every key as written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    AwsAnswer,
    AwsTimestamp,
    describe_decode_error,
)
from answerable.model.errors import IdError
from answerable.model.ids import Arn
from answerable.model.sighting import ReadProblem, ReadProblemKind

NOTHING = msgspec.Raw(b"null")
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class IamTag(msgspec.Struct, rename="pascal", frozen=True):
    """IAM tag."""

    key: str
    value: str


class AttachedPolicy(msgspec.Struct, rename="pascal", frozen=True):
    """Managed policy attached to a user, group or role."""

    policy_arn: str


class InlinePolicyDetail(msgspec.Struct, rename="pascal", frozen=True):
    """Inline policy of a user, group or role."""

    policy_name: str
    policy_document: msgspec.Raw


class AttachedPermissionsBoundary(msgspec.Struct, rename="pascal", frozen=True):
    """Attached permissions boundary."""

    permissions_boundary_arn: str = ""


class RoleLastUsed(msgspec.Struct, rename="pascal", frozen=True):
    """Last use of a role, within the platform's tracking period."""

    last_used_date: AwsTimestamp = None


class PolicyVersion(msgspec.Struct, rename="pascal", frozen=True):
    """Version of a managed policy."""

    version_id: str = ""
    is_default_version: bool = False
    document: msgspec.Raw = NOTHING


class IamInstanceProfile(msgspec.Struct, rename="pascal", frozen=True):
    """Instance profile with a role."""

    arn: str


class UserDetail(msgspec.Struct, rename="pascal", frozen=True):
    """IAM user with its policies, groups and tags."""

    arn: str
    user_name: str
    user_id: str = ""
    create_date: AwsTimestamp = None
    user_policy_list: list[InlinePolicyDetail] = []
    group_list: list[str] = []
    attached_managed_policies: list[AttachedPolicy] = []
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: list[IamTag] = []


class GroupDetail(msgspec.Struct, rename="pascal", frozen=True):
    """IAM group with its policies."""

    arn: str
    group_name: str
    group_policy_list: list[InlinePolicyDetail] = []
    attached_managed_policies: list[AttachedPolicy] = []


class RoleDetail(msgspec.Struct, rename="pascal", frozen=True):
    """IAM role with its trust policy, policies and tags."""

    arn: str
    role_name: str
    role_id: str = ""
    path: str = "/"
    create_date: AwsTimestamp = None
    assume_role_policy_document: msgspec.Raw = NOTHING
    role_policy_list: list[InlinePolicyDetail] = []
    attached_managed_policies: list[AttachedPolicy] = []
    permissions_boundary: AttachedPermissionsBoundary | None = None
    role_last_used: RoleLastUsed | None = None
    instance_profile_list: list[IamInstanceProfile] = []
    tags: list[IamTag] = []


class ManagedPolicyDetail(msgspec.Struct, rename="pascal", frozen=True):
    """Managed policy with its versions."""

    arn: str
    policy_name: str = ""
    default_version_id: str = ""
    policy_version_list: list[PolicyVersion] = []

    def default_document(self) -> msgspec.Raw:
        """Return the default version's document, or `NOTHING` if missing."""
        for version in self.policy_version_list:
            if version.is_default_version or (
                self.default_version_id
                and version.version_id == self.default_version_id
            ):
                return version.document
        return NOTHING


RecordT = TypeVar("RecordT", UserDetail, GroupDetail, RoleDetail, ManagedPolicyDetail)


@dataclass(frozen=True, slots=True)
class PlacedRecord(Generic[RecordT]):
    """Record with its place in the answers."""

    record: RecordT
    place: str
    parts: Arn


class RecordList(Generic[RecordT]):
    """Records of one kind, one per ARN, decoded each time they are read.

    Undecoded, a record is a part of the answer's bytes; decoded, it needs several times
    as much memory.
    """

    def __init__(self, kind: type[RecordT]) -> None:
        """Begin with no record."""
        self._decoder: msgspec.json.Decoder[RecordT] = msgspec.json.Decoder(kind)
        self._name = _LIST_OF[kind]
        self._raw: dict[str, tuple[msgspec.Raw, str]] = {}  # by ARN, with its place

    def add_answer(
        self, answer: AwsAnswer, parent_place: str, problems: list[ReadProblem]
    ) -> None:
        """Add the records of an answer; the first record with an ARN is kept."""
        raws = _decode_raw_list(answer, self._name, parent_place, problems)
        for index, raw in enumerate(raws):
            place = f"{parent_place}/{self._name}/{index}"
            try:
                record = self._decoder.decode(raw)
                Arn.parse(record.arn)
            except DECODE_ERRORS as error:
                what = describe_decode_error(error)
                problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
            except IdError:
                what = "has no usable Arn"
                problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
            else:
                # Pages that overlap repeat a record; the first one stands.
                self._raw.setdefault(record.arn, (raw, place))

    def __iter__(self) -> Iterator[PlacedRecord[RecordT]]:
        """Decode the records, in the order of the answers."""
        for arn, (raw, place) in self._raw.items():
            yield PlacedRecord(self._decoder.decode(raw), place, Arn.parse(arn))


_LIST_OF: dict[type, str] = dict(
    zip((UserDetail, GroupDetail, RoleDetail, ManagedPolicyDetail), LISTS, strict=True)
)


@dataclass(slots=True)
class AuthorizationDetails:
    """All records of an account, pages merged, one record per ARN."""

    users: RecordList[UserDetail] = field(
        default_factory=lambda: RecordList(UserDetail)
    )
    groups: RecordList[GroupDetail] = field(
        default_factory=lambda: RecordList(GroupDetail)
    )
    roles: RecordList[RoleDetail] = field(
        default_factory=lambda: RecordList(RoleDetail)
    )
    policies: RecordList[ManagedPolicyDetail] = field(
        default_factory=lambda: RecordList(ManagedPolicyDetail)
    )
    problems: list[ReadProblem] = field(default_factory=list)


def parse_authorization_details(
    answers: Sequence[AwsAnswer], place: str
) -> AuthorizationDetails:
    """Check the records of all pages, in page order.

    Args:
        answers: The pages.
        place: File or API call; a record's place is a pointer inside it.
    """
    details = AuthorizationDetails()
    for answer in answers:
        base = f"{place}#{answer.pointer}"
        details.users.add_answer(answer, base, details.problems)
        details.groups.add_answer(answer, base, details.problems)
        details.roles.add_answer(answer, base, details.problems)
        details.policies.add_answer(answer, base, details.problems)
    details.problems += _iter_missing_list_problems(answers, place)
    return details


def _decode_raw_list(
    answer: AwsAnswer, name: str, parent_place: str, problems: list[ReadProblem]
) -> list[msgspec.Raw]:
    """Return the entries of a list undecoded; empty if missing or invalid."""
    if name not in answer.fields:
        return []
    try:
        return msgspec.json.decode(answer.fields[name], type=list[msgspec.Raw])
    except DECODE_ERRORS as error:
        place = f"{parent_place}/{name}"
        problems.append(
            ReadProblem(ReadProblemKind.INVALID, place, describe_decode_error(error))
        )
        return []


def _iter_missing_list_problems(
    answers: Sequence[AwsAnswer], place: str
) -> Iterator[ReadProblem]:
    """Yield a problem for each missing list, and for missing last pages."""
    present = {name for answer in answers for name in answer.fields}
    for name in LISTS:
        if name not in present:
            what = f"{name} is missing: its entries are not collected"
            yield ReadProblem(ReadProblemKind.INVALID, place, what)
    last = answers[-1].fields
    if _has_field_value(last, "IsTruncated") or _has_field_value(last, "NextToken"):
        what = (
            "the last page states that more pages follow: collect again without "
            "--max-items, or append the missing pages"
        )
        yield ReadProblem(ReadProblemKind.INVALID, place, what)


def _has_field_value(fields: dict[str, msgspec.Raw], name: str) -> bool:
    """Return whether a field is present and not null, false or empty."""
    return bytes(fields.get(name, b"null")) not in (b"null", b"false", b'""')
