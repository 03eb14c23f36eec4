"""Update of resource control policies (RCPs) after an edit, and the actors affected.

They are recompiled account by account, in the order of a full run. Only added or
removed denies on actions of escalation rules can change a step; most are about
assuming roles.
"""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.policy_diff import RULE_ACTIONS, PolicyDiff
from answerable.reach.aws.bulk.statement_effects import group_actors
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.organization_policies import RcpDenies
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys

RcpDeniesByAccount = Mapping[str, RcpDenies]
_RCP_ACTIONS = tuple(action for action in RULE_ACTIONS if supports_rcps(action))


def recompile_rcps(
    estate: CompiledAccounts, edited: PolicyDiff
) -> RcpDeniesByAccount | None:
    """Recompile the RCPs of the accounts that an edited RCP applies to.

    Returns:
        Denies by account, in order; None where a target's accounts are not known.
    """
    targets = edited.targets[PolicyLayer.RCP]
    under = {target for target in targets if target in estate.fences}
    for number, account in estate.accounts.items():
        if not account.management and not targets.isdisjoint(
            (*account.parents, number)
        ):
            under.add(number)
    over = {parent for one in estate.accounts.values() for parent in one.parents}
    if targets - under - over - estate.accounts.keys():
        return None
    found = dict(estate.fences)
    for number in under:
        fence = _recompile_account_rcps(estate, edited, number)
        found.pop(number, None)
        if fence.denies or fence.gaps:
            found[number] = fence
    return dict(sorted(found.items()))


def _recompile_account_rcps(
    estate: CompiledAccounts, edited: PolicyDiff, number: str
) -> RcpDenies:
    account = estate.accounts.get(number)
    held: dict[PolicyId, list[PolicyStatement]] = {}
    was = estate.fences.get(number)
    for grant in was.denies if was else ():
        held.setdefault(grant.policy, []).append(grant)
    texts = edited.texts[PolicyLayer.RCP]
    denies: dict[PolicyStatement, None] = {}
    for target in (*(account.parents if account else ()), number):
        for policy in edited.fencing.get(target, ()):
            grants = texts[policy] if policy in texts else held.get(policy, ())
            denies.update(
                (grant, None)
                for grant in grants
                if grant.clause.effect is PolicyEffect.DENY
            )
    return RcpDenies(number, tuple(denies), was.gaps if was else ())


def diff_step_denies(
    was: RcpDeniesByAccount, now: RcpDeniesByAccount
) -> dict[str, set[CompiledStatement]]:
    """Find the denies of escalation actions that were added or removed, by account."""
    found = {}
    for number in was.keys() | now.keys():
        old, new = was.get(number), now.get(number)
        if old is not new:
            other = set(_list_step_denies(old)) ^ set(_list_step_denies(new))
            if other:
                found[number] = other
    return found


def _list_step_denies(fence: RcpDenies | None) -> Iterator[CompiledStatement]:
    for grant in fence.denies if fence else ():
        if any(map(grant.clause.matches_action, _RCP_ACTIONS)):
            yield grant.clause


def find_affected_actors(
    clauses: Iterable[CompiledStatement], index: StatementIndex, known: ContextKeys
) -> int:
    """Find the actors that any of some denies may apply to."""
    found, anyone = 0, index.all & ~index.linked
    for clause in set(clauses):
        for group in group_actors(clause, index, known, anyone):
            found |= group.actors
    return found
