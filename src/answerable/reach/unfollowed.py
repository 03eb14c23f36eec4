"""Ways that an answer did not follow.

Roles that are passed to a service without a rule, and code that no source tells of.
"""

from collections.abc import Iterable, Iterator

from answerable.reach.estate.estate import Estate
from answerable.reach.estate.principals import Principal
from answerable.reach.paths.launching import may_pass, passed
from answerable.reach.rules.rules import LAUNCHES, RUNNING
from answerable.reach.rules.running import IN_NO_SOURCE
from answerable.reach.verdict.formula import FALSE

FOLLOWED = frozenset(launch.service for launch in LAUNCHES)


def unfollowed(estate: Estate, actors: Iterable[Principal]) -> Iterator[str]:
    """Name, in words of coverage, the ways of some actors that were not followed."""
    for actor in actors:
        account = actor.identity.account
        for service in _services(estate, actor):
            yield f"passed-roles (account {account}, {service})"
        for kind in _kinds(actor):
            yield f"running-code (account {account}, {kind})"
        if _changes_saml(estate, actor):
            yield f"saml-providers (account {account})"


def _services(estate: Estate, actor: Principal) -> Iterator[str]:
    """List services without a rule that a role may be passed to."""
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


def _changes_saml(estate: Estate, actor: Principal) -> bool:
    """Tell whether an actor may exchange the keys of a provider that a role trusts.

    Source: AWS IAM API Reference, UpdateSAMLProvider: it replaces the metadata document.
    """
    if not actor.matching("iam:updatesamlprovider").allows:
        return False
    return any(
        trust.account == actor.identity.account
        and any(_names_saml(grant.clause.principals) for grant in trust.grants)
        for trust in estate.trusts.values()
    )


def _names_saml(principals: Iterable[tuple[str, str]]) -> bool:
    return any(":saml-provider/" in value for _, value in principals)


def _kinds(actor: Principal) -> Iterator[str]:
    """List kinds of code that no source tells of and an actor may take over."""
    for kind in sorted(IN_NO_SOURCE):
        rules = (rule for rule in RUNNING if rule.kind == kind)
        if any(
            all(actor.matching(need.action.lower()).allows for need in rule.needs)
            for rule in rules
        ):
            yield kind
