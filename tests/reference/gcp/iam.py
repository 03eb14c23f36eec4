"""Reference of Google Cloud IAM, written from the documentation for reading.

It reads the rows of `tests/cases/gcp.yaml`: plain values, one request at a time, no index
and no shared code with the product. Facts that no row tells (the members of a group, an
open condition, the permissions of a role) are asked of a `World`; `list_answers` tries
every world.

Sources, below https://docs.cloud.google.com/iam/docs/: policy-types ("Policy
evaluation"), resource-hierarchy-access-control, deny-overview,
principal-access-boundary-policies, principal-identifiers,
create-short-lived-credentials-direct, create-short-lived-credentials-delegated,
attach-service-accounts, creating-custom-roles, deny-access ("Required permissions"),
principal-access-boundary-policies-edit and -remove ("Roles required"), service-accounts-tags
("Required permissions"); resource-manager/docs/organization-policy/using-constraints.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

Row = Mapping[str, Any]
World = Callable[[tuple[str, ...]], bool]
Request = tuple[str, str, str]  # principal, permission, resource

PARENTS = {
    "gs://b/x": "gs://b",
    "gs://b": "projects/p",
    "//bigquery.googleapis.com/projects/p/datasets/d": "projects/p",
    "//bigquery.googleapis.com/projects/q/datasets/d": "projects/q",
    "projects/p": "folders/10",
    "projects/q": "organizations/1",
    "folders/10": "organizations/1",
}
EXPIRED = 'request.time < timestamp("2025-01-01T00:00:00Z")'
BEGUN = 'request.time >= timestamp("2025-01-01T00:00:00Z")'
EXPIRING = 'request.time < timestamp("2030-01-01T00:00:00Z")'
TAGGED = 'resource.matchTag("1/env", "prod")'
PUBLIC = "principalSet://goog/public:all"
ORGANIZATION = "principalSet://cloudresourcemanager.googleapis.com/organizations/1"
PROJECT = "principalSet://cloudresourcemanager.googleapis.com/projects/100"
TOKENS = (
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.signJwt",
    "iam.serviceAccounts.signBlob",
)
DELEGATE = "iam.serviceAccounts.implicitDelegation"
BLOCKED_BY_BOUNDARY = "bigquery.tables."


def project_of(account: str) -> str:
    """Return the project in the address of a service account."""
    return "projects/" + account.partition("@")[2].partition(".")[0]


def ancestors(resource: str) -> list[str]:
    """A resource and everything above it: policies are inherited from all of them."""
    found = [resource]
    while True:
        here = found[-1]
        above = project_of(here) if "@" in here else PARENTS.get(here, "")
        if not above:
            return found
        found.append(above)


def is_account(principal: str) -> bool:
    """Service accounts are named by their address."""
    return "gserviceaccount" in principal


def includes(row: Row, member: str, principal: str, world: World) -> bool:
    """Does a member of a policy include a principal?"""
    if member in ("allUsers", PUBLIC):
        return True
    if member == "allAuthenticatedUsers":
        return True  # users and service accounts; the rows have no other principal
    if member.startswith(("group:", "principalSet://goog/group/")):
        name = member.removeprefix("principalSet://goog/group/").removeprefix("group:")
        return in_group(row, name, principal, world, ())
    if member.startswith("domain:"):
        return principal.startswith("user:") and principal.endswith(
            "@" + member.removeprefix("domain:")
        )
    if "://" in member and not member.startswith(("principal:", "principalSet:")):
        return world(("unknown form", member, principal))
    if member == ORGANIZATION:
        known = is_account(principal) or principal.endswith("@example.com")
        return known or world(("further domain", principal))
    if member == PROJECT:
        return is_account(principal) and project_of(principal) == "projects/p"
    if member.startswith("projectViewer:"):
        return any(
            role == "roles/viewer"
            and any(includes(row, m, principal, world) for m in who)
            for place, role, who, *condition in row.get("bind", ())
            if place == "projects/" + member.partition(":")[2] and not condition
        )
    spelled = member.removeprefix("principal://goog/subject/")
    return principal in (member, f"user:{spelled}")


def in_group(
    row: Row, group: str, principal: str, world: World, seen: tuple[str, ...]
) -> bool:
    """Is a principal in a group, also through groups in it?"""
    if group in seen:
        return False
    if group not in row.get("groups", {}):
        return world(("member", group, principal))
    for member in row["groups"][group]:
        if member == principal:
            return True
        if member.startswith("group:"):
            inner = member.removeprefix("group:")
            if in_group(row, inner, principal, world, (*seen, group)):
                return True
    return False


def holds(
    row: Row, condition: str, resource: str, world: World, *, wanted: bool
) -> bool:
    """Is a condition true for a request after the scan?

    The principal sets the free tags as it wants the condition to be.
    """
    if condition == EXPIRED:
        return False
    if condition in ("", BEGUN):
        return True
    if condition == TAGGED and set(ancestors(resource)) & set(row.get("free", ())):
        return wanted
    if condition == TAGGED:
        for place in ancestors(resource):
            for tagged, value in row.get("tags", ()):
                if tagged == place:
                    return bool(value == "1/env/prod")
        return False
    return world(("condition", condition))


def is_allowed(row: Row, request: Request, world: World) -> bool:
    """Some binding, on the resource or above it, grants the permission."""
    principal, permission, resource = request
    for place, role, who, *condition in row.get("bind", ()):
        if place not in ancestors(resource):
            continue
        if role in row["roles"]:
            has_permission = permission in row["roles"][role]
        else:
            has_permission = world(("role", role))
        if (
            has_permission
            and any(includes(row, member, principal, world) for member in who)
            and holds(
                row, condition[0] if condition else "", resource, world, wanted=True
            )
        ):
            return True
    return False


def names_permission(patterns: Sequence[str], permission: str) -> bool:
    """Is a permission in a list of deny policies, which may have groups of them?"""
    service, kind, verb = permission.split(".")
    spellings = (
        f"{service}.googleapis.com/{kind}.{verb}",
        f"{service}.googleapis.com/{kind}.*",
        f"{service}.googleapis.com/*.*",
    )
    return any(each in patterns for each in spellings)


def is_denied(row: Row, request: Request, world: World) -> bool:
    """Some deny rule, on the resource or above it, refuses the permission."""
    principal, permission, resource = request
    for place, rule in row.get("deny", ()):
        if (
            place in ancestors(resource)
            and names_permission(rule["permissions"], permission)
            and not names_permission(rule.get("except_permissions", ()), permission)
            and any(includes(row, each, principal, world) for each in rule["who"])
            and not any(
                includes(row, each, principal, world) for each in rule.get("except", ())
            )
            and holds(row, rule.get("condition", ""), resource, world, wanted=False)
        ):
            return True
    return False


def is_eligible(row: Row, request: Request, world: World) -> bool:
    """Boundaries of the principal: without one, everything; else the union of all."""
    principal, permission, resource = request
    bound = [
        each
        for each in row.get("bound", ())
        if includes(row, each["set"], principal, world)
        and (not each.get("condition") or is_account(principal))
    ]
    if not bound or any(
        eligible in ancestors(resource)
        for each in bound
        for eligible in each["resources"]
    ):
        return True
    if permission.startswith(BLOCKED_BY_BOUNDARY):
        return False
    return not world(("enforced", permission))


def may(row: Row, request: Request, world: World) -> bool:
    """Eligible, not denied, and allowed."""
    return (
        is_eligible(row, request, world)
        and not is_denied(row, request, world)
        and is_allowed(row, request, world)
    )


def build_world(
    known: Mapping[tuple[str, ...], bool], missing: list[tuple[str, ...]]
) -> World:
    """A world of known facts; it notes the others, and takes them for false."""

    def world(fact: tuple[str, ...]) -> bool:
        if fact not in known and fact not in missing:
            missing.append(fact)
        return known.get(fact, False)

    return world


def list_answers(row: Row, request: Request) -> tuple[set[bool], int]:
    """The answers over all worlds, and the number of unknown facts."""
    asked: list[tuple[str, ...]] = []
    while True:
        answers: set[bool] = set()
        missing: list[tuple[str, ...]] = []
        for values in product((False, True), repeat=len(asked)):
            known = dict(zip(asked, values, strict=True))
            world = build_world(known, missing)
            answers.add(may(row, request, world))
        if not missing:
            return answers, len(asked)
        asked += missing


def no_facts(fact: tuple[str, ...]) -> bool:
    """The world of a row that tells everything."""
    raise AssertionError(f"a fact is missing: {fact}")


def are_keys_blocked(row: Row, account: str) -> bool:
    """The nearest organization policy decides whether an account may get new keys."""
    for place in ancestors(account):
        for at, _, enforced in row.get("constraints", ()):
            if at == place:
                return bool(enforced)
    return False


def becomes(row: Row, principal: str, world: World) -> set[str]:
    """The principal, and every service account that it can act as in the end."""

    def can(who: str, permission: str, resource: str) -> bool:
        return may(row, (who, permission, resource), world)

    found = {principal}
    while True:
        more = set()
        for who in found:
            for account in row["accounts"]:
                if (
                    any(can(who, token, account) for token in TOKENS)
                    or (
                        can(who, "iam.serviceAccountKeys.create", account)
                        and not are_keys_blocked(row, account)
                    )
                    or can(who, "iam.serviceAccounts.setIamPolicy", account)
                    or (
                        can(who, "iam.serviceAccounts.actAs", account)
                        and can(
                            who, "cloudfunctions.functions.create", project_of(account)
                        )
                    )
                    or delegates_to(row, who, account, (), world)
                ):
                    more.add(account)
        if more <= found:
            return found
        found |= more


def delegates_to(
    row: Row, who: str, account: str, seen: tuple[str, ...], world: World
) -> bool:
    """A chain: each delegates to the next, the last one gets the token."""
    for delegate in row["accounts"]:
        if delegate in seen or not may(row, (who, DELEGATE, delegate), world):
            continue
        if any(may(row, (delegate, token, account), world) for token in TOKENS):
            return True
        if delegates_to(row, delegate, account, (*seen, delegate), world):
            return True
    return False


def may_by_steps(row: Row, request: Request, world: World) -> bool:
    """As itself or another, by a policy that it may set, or a role that it may edit."""
    principal, permission, resource = request
    for who in becomes(row, principal, world):
        own = (who, permission, resource)
        if may(row, own, world):
            return True
        if is_denied(row, own, world) or not is_eligible(row, own, world):
            continue
        for place in ancestors(resource):
            setter = policy_permission(place)
            if setter and may(row, (who, setter, place), world):
                return True
            for at, role, members, *condition in row.get("bind", ()):
                if (
                    at == place
                    and not condition
                    and any(includes(row, each, who, world) for each in members)
                    and may(row, (who, "iam.roles.update", "projects/p"), world)
                    and role.startswith("projects/p/")
                ):
                    return True
    return False


def policy_permission(place: str) -> str:
    """The permission to set the policy of a resource."""
    if place.startswith("gs://"):
        return "storage.buckets.setIamPolicy" if place.count("/") == 2 else ""
    if "@" in place:
        return "iam.serviceAccounts.setIamPolicy"
    kind = place.partition("/")[0]
    known = kind in ("projects", "folders", "organizations")
    return f"resourcemanager.{kind}.setIamPolicy" if known else ""
