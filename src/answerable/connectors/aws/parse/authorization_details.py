"""Typed records of get-account-authorization-details answers.

An unreadable record becomes a problem; the rest is kept. Policy documents stay raw
here, so that their own parser sees every key as written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from answerable.connectors.formats.aws_api_answers import (
    UNREADABLE,
    Answer,
    Stamp,
    why_invalid,
)
from answerable.model.errors import IdError
from answerable.model.ids import Arn
from answerable.model.sighting import Problem, ProblemKind

NOTHING = msgspec.Raw(b"null")
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class Tag(msgspec.Struct, rename="pascal", frozen=True):
    """IAM tag."""

    key: str
    value: str


class Attached(msgspec.Struct, rename="pascal", frozen=True):
    """Managed policy attached to a user, group or role."""

    policy_arn: str


class Inline(msgspec.Struct, rename="pascal", frozen=True):
    """Inline policy of a user, group or role."""

    policy_name: str
    policy_document: msgspec.Raw


class Boundary(msgspec.Struct, rename="pascal", frozen=True):
    """Attached permissions boundary."""

    permissions_boundary_arn: str = ""


class LastUsed(msgspec.Struct, rename="pascal", frozen=True):
    """Last use of a role, within the platform's tracking period."""

    last_used_date: Stamp = None


class Version(msgspec.Struct, rename="pascal", frozen=True):
    """Version of a managed policy."""

    version_id: str = ""
    is_default_version: bool = False
    document: msgspec.Raw = NOTHING


class Profile(msgspec.Struct, rename="pascal", frozen=True):
    """Instance profile with a role."""

    arn: str


class User(msgspec.Struct, rename="pascal", frozen=True):
    """IAM user with its policies, groups and tags."""

    arn: str
    user_name: str
    user_id: str = ""
    create_date: Stamp = None
    user_policy_list: list[Inline] = []
    group_list: list[str] = []
    attached_managed_policies: list[Attached] = []
    permissions_boundary: Boundary | None = None
    tags: list[Tag] = []


class Group(msgspec.Struct, rename="pascal", frozen=True):
    """IAM group with its policies."""

    arn: str
    group_name: str
    group_policy_list: list[Inline] = []
    attached_managed_policies: list[Attached] = []


class Role(msgspec.Struct, rename="pascal", frozen=True):
    """IAM role with its trust policy, policies and tags."""

    arn: str
    role_name: str
    role_id: str = ""
    path: str = "/"
    create_date: Stamp = None
    assume_role_policy_document: msgspec.Raw = NOTHING
    role_policy_list: list[Inline] = []
    attached_managed_policies: list[Attached] = []
    permissions_boundary: Boundary | None = None
    role_last_used: LastUsed | None = None
    instance_profile_list: list[Profile] = []
    tags: list[Tag] = []


class Managed(msgspec.Struct, rename="pascal", frozen=True):
    """Managed policy with its versions."""

    arn: str
    policy_name: str = ""
    default_version_id: str = ""
    policy_version_list: list[Version] = []

    def document(self) -> msgspec.Raw:
        """Return the default version's document, or `NOTHING` if missing."""
        for version in self.policy_version_list:
            if version.is_default_version or (
                self.default_version_id
                and version.version_id == self.default_version_id
            ):
                return version.document
        return NOTHING


RecordT = TypeVar("RecordT", User, Group, Role, Managed)


@dataclass(frozen=True, slots=True)
class At(Generic[RecordT]):
    """Record with its place in the answers."""

    record: RecordT
    place: str
    parts: Arn


@dataclass(slots=True)
class Details:
    """All records of an account, pages merged, one record per ARN."""

    users: dict[str, At[User]] = field(default_factory=dict)
    groups: dict[str, At[Group]] = field(default_factory=dict)
    roles: dict[str, At[Role]] = field(default_factory=dict)
    policies: dict[str, At[Managed]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_details(answers: Sequence[Answer], place: str) -> Details:
    """Decode the records of all pages, in page order.

    Args:
        answers: The pages.
        place: File or API call; a record's place is a pointer inside it.
    """
    details = Details()
    for answer in answers:
        base = f"{place}#{answer.pointer}"
        _into(details.users, User, answer, base, details.problems)
        _into(details.groups, Group, answer, base, details.problems)
        _into(details.roles, Role, answer, base, details.problems)
        _into(details.policies, Managed, answer, base, details.problems)
    details.problems += _missing(answers, place)
    return details


_LIST_OF: dict[type, str] = dict(zip((User, Group, Role, Managed), LISTS, strict=True))


def _into(
    found: dict[str, At[RecordT]],
    kind: type[RecordT],
    answer: Answer,
    base: str,
    problems: list[Problem],
) -> None:
    name = _LIST_OF[kind]
    raws = _raws(answer, name, base, problems)
    decoder = msgspec.json.Decoder(kind)
    for index, raw in enumerate(raws):
        place = f"{base}/{name}/{index}"
        try:
            record = decoder.decode(raw)
            parts = Arn.parse(record.arn)
        except UNREADABLE as error:
            problems.append(Problem(ProblemKind.INVALID, place, why_invalid(error)))
        except IdError:
            problems.append(Problem(ProblemKind.INVALID, place, "has no usable Arn"))
        else:
            # Pages that overlap repeat a record; the first one stands.
            found.setdefault(record.arn, At(record, place, parts))


def _raws(
    answer: Answer, name: str, base: str, problems: list[Problem]
) -> list[msgspec.Raw]:
    if name not in answer.fields:
        return []
    try:
        return msgspec.json.decode(answer.fields[name], type=list[msgspec.Raw])
    except UNREADABLE as error:
        place = f"{base}/{name}"
        problems.append(Problem(ProblemKind.INVALID, place, why_invalid(error)))
        return []


def _missing(answers: Sequence[Answer], place: str) -> Iterator[Problem]:
    present = {name for answer in answers for name in answer.fields}
    for name in LISTS:
        if name not in present:
            what = f"no {name} in it: what it lists is not collected"
            yield Problem(ProblemKind.INVALID, place, what)
    last = answers[-1].fields
    if _says(last, "IsTruncated") or _says(last, "NextToken"):
        what = (
            "the last page says that more follow: collect again without --max-items, "
            "or append the missing pages"
        )
        yield Problem(ProblemKind.INVALID, place, what)


def _says(fields: dict[str, msgspec.Raw], name: str) -> bool:
    return bytes(fields.get(name, b"null")) not in (b"null", b"false", b'""')
