"""Compare the permissions of a Google Cloud service account with a signed profile."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from answerable.baseline.entity_pattern_generalisation import pattern_covers
from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.model.baseline import (
    BaselineProfile,
    EntityPattern,
    GeneralisationLevel,
)
from answerable.model.google_cloud_ids import (
    build_log_name,
    expand_logged_resource_name,
    get_permission_service,
    normalise_principal,
)
from answerable.model.inventory import Inventory
from answerable.model.policy_drift import BEYOND, MISSING, NOT_KNOWN, PermissionDrift
from answerable.reach import engine
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.access_evaluation import takes_permission
from answerable.reach.gcp.estate_index import POLICIES
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import Answer, PageBounds, Question
from answerable.services.reach.platform_registry import GCP, open_platforms

_PREFIX = f"{CLOUD_SERVER}/gcp:"
_PERMISSION = re.compile(r"[a-z][a-z0-9]*\.[A-Za-z]+\.[A-Za-z]+")
_NAME_TEST = re.compile(
    r'resource\.name(?: == |\.(startsWith)\()("(?:[^"\\]|\\.)*")\)?'
)
_OBJECT_PERMISSION = "storage.objects."
_SAMPLE = "answerable-sample"  # name below a prefix that no condition names
NOT_COLLECTED = "its bindings were not collected (answerable scan gcp:FILE)"


def is_permission(name: str) -> bool:
    """Return whether a logged call is named by its permission, not by a method."""
    return _PERMISSION.fullmatch(name) is not None


class _SignedCalls:
    """Permissions of a profile with their resources.

    Attributes:
        patterns: Resources of each permission.
        unmapped: Logged methods whose permission is not known.
    """

    def __init__(self, profile: BaselineProfile) -> None:
        names = {each.tool for each in profile.capabilities}
        calls = sorted(n.removeprefix(_PREFIX) for n in names if n.startswith(_PREFIX))
        self.unmapped = [each for each in calls if not is_permission(each)]
        self.patterns: dict[str, list[EntityPattern]] = {
            each: [] for each in calls if is_permission(each)
        }
        for entry in profile.entities:
            found = self.patterns.get(entry.tool.removeprefix(_PREFIX))
            if found is not None and entry.tool.startswith(_PREFIX):
                found.append(entry.pattern)

    def covers_name(self, permission: str, name: str, *, prefix: bool) -> bool:
        """Return whether a resource is signed, or all with a prefix of their name."""
        return any(
            _covers_prefix(each, name)
            if prefix
            else pattern_covers(each, each.kind, name)
            for each in self.patterns.get(permission, ())
        )

    def may_need(self, permission: str, services: Iterable[str]) -> bool:
        """Return whether the profile may contain a permission on some resource.

        A method without a known permission may need it, or no log names its resource.
        """
        if self.patterns.get(permission) == []:
            return True
        service = permission.partition(".")[0]
        for method in self.unmapped:
            words = set(re.split(r"[^a-z0-9]+", method.lower()))
            if service in words or words.isdisjoint(services):
                return True
        return False


def _covers_prefix(pattern: EntityPattern, prefix: str) -> bool:
    """Return whether a pattern covers every name with a prefix."""
    return pattern.level is GeneralisationLevel.PREFIX and prefix.startswith(
        pattern.text
    )


def list_own_permissions(
    inventory: Inventory, identity: str, now: int
) -> frozenset[str]:
    """List the permissions that a service account has itself, on some resource."""
    question = Question(now, subject=identity, direct=True)
    opened = open_platforms(inventory, question)
    listed, _ = engine.list_permissions_of_subject(opened, question, PageBounds())
    known = GCP.get_access(inventory).index.roles.known
    return frozenset(
        permission
        for answer in listed.answers
        if answer.verdict in (Verdict.ALWAYS, Verdict.ONLY_IF)
        for permission in _expand_pattern(answer.item["action"], known)
    )


def _expand_pattern(pattern: str, known: Iterable[str]) -> list[str]:
    """List the permissions of a row: one, or all that a pattern stands for."""
    if "*" not in pattern:
        return [pattern]
    return sorted(each for each in known if fnmatchcase(each, pattern))


def list_google_cloud_drift(
    inventory: Inventory, profile: BaselineProfile, now: int
) -> Iterator[PermissionDrift]:
    """Yield the differences between own permissions and a signed profile.

    Own permissions are those of allow policies that name the account, its groups or
    everybody, as far as deny policies and boundaries leave them. What it can do as
    another account is not part of it.
    """
    identity = normalise_principal(profile.subject.identity)
    question = Question(now, subject=identity, direct=True)
    opened = open_platforms(inventory, question)
    if POLICIES not in GCP.get_access(inventory).index.collected:
        yield NOT_KNOWN, "", NOT_COLLECTED
        return
    listed, found = engine.list_permissions_of_subject(opened, question, PageBounds())
    if found.unknown:
        yield NOT_KNOWN, "", "; ".join(each.because for each in found.unknown)
        return
    for answer in listed.answers:
        for gap in answer.unknown if answer.verdict is Verdict.NOT_KNOWN else ():
            yield NOT_KNOWN, "", gap.because
    signed = _SignedCalls(profile)
    yield from _list_beyond_signed(inventory, signed, listed.answers)
    yield from _list_missing(inventory, signed, opened)
    for method in signed.unmapped:
        yield NOT_KNOWN, method, "the permission of this method is not known"


def _list_beyond_signed(
    inventory: Inventory, signed: _SignedCalls, answers: Sequence[Answer]
) -> Iterator[PermissionDrift]:
    """Yield the permissions in force that the profile does not contain."""
    roles = GCP.get_access(inventory).index.roles
    found: dict[PermissionDrift, None] = {}
    for answer in answers:
        if answer.verdict not in (Verdict.ALWAYS, Verdict.ONLY_IF):
            continue
        pattern = answer.item["action"]
        members = _expand_pattern(pattern, roles.known)
        uncovered: dict[str, list[str]] = defaultdict(list)
        for permission in members:
            for resource in _list_uncovered(signed, permission, answer):
                uncovered[resource].append(permission)
        for resource, permissions in uncovered.items():
            doubtful = [p for p in permissions if signed.may_need(p, roles.services)]
            certain = sorted(set(permissions) - set(doubtful))
            for kind, names in ((BEYOND, certain), (NOT_KNOWN, doubtful)):
                shown = [pattern] if names == members else names
                found |= dict.fromkeys((kind, each, resource) for each in shown)
    yield from found


def _list_uncovered(
    signed: _SignedCalls, permission: str, answer: Answer
) -> Iterator[str]:
    """Yield the resources of a row on which a permission is not signed."""
    place = answer.item["resource"]
    name = build_log_name(place)
    if signed.covers_name(permission, name, prefix=False):
        return
    is_bucket = permission.startswith(_OBJECT_PERMISSION) and "/objects/" not in name
    if is_bucket and signed.covers_name(permission, f"{name}/objects/", prefix=True):
        return
    alternatives = answer.item["conditions"]
    if not alternatives:
        yield place
    for each in alternatives:
        tests = [
            test
            for literal in each["all_of"]
            if not literal["negated"] and literal["key"] == "resource.name"
            for text in literal["values"]
            if (test := _NAME_TEST.fullmatch(text))
        ]
        names = [(json.loads(test[2]), bool(test[1])) for test in tests]
        if any(signed.covers_name(permission, n, prefix=p) for n, p in names):
            continue
        text, is_prefix = names[0] if names else (place, False)
        yield f"{text}*" if is_prefix else text


def _list_missing(
    inventory: Inventory, signed: _SignedCalls, opened: OpenPlatforms
) -> Iterator[PermissionDrift]:
    """Yield the signed permissions that are not in force."""
    access = GCP.get_access(inventory)
    for permission, patterns in signed.patterns.items():
        if not patterns:
            yield NOT_KNOWN, permission, "the profile names no resource of it"
        service = permission.partition(".")[0]
        for pattern in patterns:
            name = pattern.text
            if pattern.level is GeneralisationLevel.PREFIX:
                name += _SAMPLE
            elif pattern.level is not GeneralisationLevel.EXACT:
                yield NOT_KNOWN, permission, f"{name}: a pattern, not a resource"
                continue
            full = access.index.tree.normalise(
                expand_logged_resource_name(name, service)
            )
            if get_permission_service(full) != service and not takes_permission(
                access.index, permission, full
            ):
                yield NOT_KNOWN, permission, f"{name}: not a resource of {service}"
                continue
            question = replace(opened.question, action=permission, resource=full)
            answer = engine.answer_permission_question(opened, GCP, question)
            shown = f"{pattern.text}*" if name != pattern.text else name
            if answer.verdict is Verdict.NOT_KNOWN:
                because = "; ".join(each.because for each in answer.unknown)
                yield NOT_KNOWN, permission, f"{shown}: {because}"
            elif answer.verdict is not Verdict.ALWAYS:
                yield MISSING, permission, shown
