"""Reference of limits that a principal may change, written for reading.

Sources: see `iam`, whose rows and worlds this uses.
"""

from tests.reference.gcp.iam import (
    PROJECT,
    Request,
    Row,
    World,
    may_by_steps,
    no_facts,
)


def blocks_nothing(fact: tuple[str, ...]) -> bool:
    """The best world: a boundary blocks only what it is known to block."""
    return False if fact[0] in ("enforced", "further domain") else no_facts(fact)


def may_after_steps(row: Row, request: Request, world: World = no_facts) -> bool:
    """By steps; and again, after it took away the limits that it may change."""
    if may_by_steps(row, request, world):
        return True
    changed = change_limits(row, request[0], world)
    return changed != row and may_after_steps(changed, request, world)


def may_at_best(row: Row, request: Request) -> bool:
    """As before, in the best world, where it sets the tags that it may change, too."""
    if may_by_steps(row, request, blocks_nothing):
        return True
    changed = change_limits(row, request[0], blocks_nothing)
    changed = change_tags(changed, request[0])
    return changed != row and may_at_best(changed, request)


def change_limits(row: Row, principal: str, world: World) -> Row:
    """Take away the limits that a principal may change."""

    def can(permission: str, place: str) -> bool:
        return may_by_steps(row, (principal, permission, place), world)

    changed = dict(row)
    changed["deny"] = [
        (place, rule)
        for place, rule in row.get("deny", ())
        if not can("iam.denypolicies.update", place)
        and not can("iam.denypolicies.delete", place)
    ]
    opens = can("iam.principalaccessboundarypolicies.update", "organizations/1")
    unbinds = can("iam.principalaccessboundarypolicies.unbind", "organizations/1")
    changed["bound"] = [
        {**each, "resources": ["organizations/1"]} if opens else each
        for each in row.get("bound", ())
        if not (
            unbinds
            and (
                can("resourcemanager.projects.deletePolicyBinding", "projects/p")
                if each["set"] == PROJECT
                else can(
                    "resourcemanager.organizations.deletePolicyBinding",
                    "organizations/1",
                )
            )
        )
    ]
    changed["constraints"] = [
        (at, name, enforced and not can("orgpolicy.policy.set", at))
        for at, name, enforced in row.get("constraints", ())
    ]
    return changed


def change_tags(row: Row, principal: str) -> Row:
    """Free the tags of the places on which a principal may bind a value of the key."""
    free = set(row.get("free", ()))
    value = "resourcemanager.tagValueBindings.create"
    if may_by_steps(row, (principal, value, "organizations/1"), blocks_nothing):
        free |= {
            place
            for place in ("organizations/1", "folders/10", "projects/p", "projects/q")
            if may_by_steps(
                row,
                (principal, "resourcemanager.hierarchyNodes.createTagBinding", place),
                blocks_nothing,
            )
        }
    return {**row, "free": free} if free else row
