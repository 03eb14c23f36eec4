"""Steps that are not modelled or not collected, for coverage.

Roles passed to a service without an escalation rule, and code that no source collected.
"""

from collections.abc import Iterable, Iterator

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.escalation_rules.registry import LAUNCHES, RUNNING, Running
from answerable.reach.aws.escalation_rules.takeover_rules import COLLECTED_APART
from answerable.reach.aws.paths.pass_role import may_pass, passed
from answerable.reach.aws.patterns.globs import outward
from answerable.reach.collected_data import ANY, Collected
from answerable.reach.formula import FALSE

CODE = "running-code"
_REGION = 3  # of the parts of an ARN
FOLLOWED = frozenset(launch.service for launch in LAUNCHES)


def unfollowed(
    estate: Estate, collected: Collected, actors: Iterable[Principal]
) -> Iterator[str]:
    """List the steps of some actors that were not followed, as coverage words."""
    for actor in actors:
        account = actor.identity.account
        for service in _services(estate, actor):
            yield f"passed-roles (account {account}, {service})"
        for kind in _kinds(collected, actor):
            yield f"running-code (account {account}, {kind})"


def _services(estate: Estate, actor: Principal) -> Iterator[str]:
    """List services without a rule that an actor may pass a role to."""
    if not may_pass(actor):
        return
    for service, roles in estate.by_service.items():
        if service in FOLLOWED:
            continue
        near = (r for r in roles if estate.trusts[r].account == actor.identity.account)
        for role in near:
            linked = estate.principals[role].linked
            if role == actor.id or linked:
                continue
            if passed(estate, actor, role, service).formula != FALSE:
                yield service
                break


def _kinds(collected: Collected, actor: Principal) -> Iterator[str]:
    """List kinds of code that an actor may take over and that were not collected."""
    account = actor.identity.account
    for kind in sorted(COLLECTED_APART):
        regions = {
            region
            for rule in RUNNING
            if rule.kind == kind
            for region in regions_of(actor, rule)
        }
        for region in sorted(regions):
            missing = collected.lacking(CODE, account, region, kind)
            if missing:
                where = missing.rpartition(", ")[2].removesuffix(")")
                known = "," in missing and where != kind
                yield f"{kind}, {where}" if known else kind


def regions_of(actor: Principal, rule: Running) -> Iterator[str]:
    """List the regions in which an actor may make every call of a rule."""
    allows = [actor.matching(need.action.lower()).allows for need in rule.needs]
    if all(allows):
        for grant in allows[0]:
            for pattern in grant.clause.resources or (ANY,):
                yield part_of(outward(pattern), _REGION)


def part_of(pattern: str, which: int) -> str:
    """Return a part of an ARN pattern, `ANY` for a wildcard."""
    parts = pattern.split(":", 5)
    if len(parts) < 6 or any(sign in parts[which] for sign in "*?$"):
        return ANY
    return parts[which]
