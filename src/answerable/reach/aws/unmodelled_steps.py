"""List possible path steps that are not modelled or not collected (coverage gaps).

Roles passed to a service without an escalation rule, and code that no source collected.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_arn_pattern_part
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.escalation_rules.registry import (
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
    TakeoverRule,
)
from answerable.reach.aws.escalation_rules.takeover_rules import (
    SEPARATELY_COLLECTED_KINDS,
)
from answerable.reach.aws.paths.pass_role import evaluate_pass_role, may_pass_any_role
from answerable.reach.aws.patterns.glob_matching import decode_glob
from answerable.reach.collection_coverage import ANY_PLACE, CollectedData
from answerable.reach.condition_formula import FALSE

RUNNING_CODE = "running-code"
_REGION = 3  # of the parts of an ARN
MODELLED_SERVICES = frozenset(launch.service for launch in PASS_ROLE_RULES)


def list_unmodelled_path_steps(
    accounts: CompiledAccounts,
    collected: CollectedData,
    actors: Iterable[CompiledPrincipal],
) -> Iterator[str]:
    """List the steps of actors that were not followed, as coverage words."""
    told: dict[str, set[str]] = defaultdict(set)
    for actor in actors:
        account = actor.identity.account
        for service in _list_services_without_pass_role_rule(
            accounts, actor, told[account]
        ):
            told[account].add(service)
            yield f"passed-roles (account {account}, {service})"
        for kind in _list_uncollected_takeover_code_kinds(collected, actor):
            yield f"running-code (account {account}, {kind})"


def _list_services_without_pass_role_rule(
    accounts: CompiledAccounts, actor: CompiledPrincipal, told: Set[str]
) -> Iterator[str]:
    """List AWS services that could run passed roles, for which no rule is modelled.

    Args:
        told: Services of the account that are listed already.
    """
    if not may_pass_any_role(actor):
        return
    for service in accounts.by_service:
        if service in MODELLED_SERVICES or service in told:
            continue
        roles = accounts.by_service[service]
        near = (
            r for r in roles if accounts.trusts[r].account == actor.identity.account
        )
        for role in near:
            linked = accounts.principals[role].linked
            if role == actor.id or linked:
                continue
            if evaluate_pass_role(accounts, actor, role, service).formula != FALSE:
                yield service
                break


def _list_uncollected_takeover_code_kinds(
    collected: CollectedData, actor: CompiledPrincipal
) -> Iterator[str]:
    """List kinds of code an actor may take over that were not collected."""
    account = actor.identity.account
    for kind in sorted(SEPARATELY_COLLECTED_KINDS):
        regions = {
            region
            for rule in TAKEOVER_RULES
            if rule.kind == kind
            for region in list_regions_where_rule_is_callable(actor, rule)
        }
        for region in sorted(regions):
            missing = collected.name_missing_data(RUNNING_CODE, account, region, kind)
            if missing:
                where = missing.rpartition(", ")[2].removesuffix(")")
                known = "," in missing and where != kind
                yield f"{kind}, {where}" if known else kind


def list_regions_where_rule_is_callable(
    actor: CompiledPrincipal, rule: TakeoverRule
) -> Iterator[str]:
    """List the regions in which an actor may make every call of a rule."""
    allows = [
        actor.select_statements(need.action.lower()).allows for need in rule.needs
    ]
    if all(allows):
        for grant in allows[0]:
            for pattern in grant.clause.resources or (ANY_PLACE,):
                yield get_arn_pattern_part(decode_glob(pattern), _REGION)
