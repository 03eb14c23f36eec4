"""Recompile edited resource control policies (RCPs), and find the affected principals.

They are recompiled account by account, in the order of a full run. Only added or
removed denies on actions of escalation rules can change a step; most are about
assuming roles.
"""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.policy_diff import RULE_ACTIONS, PolicyDiff
from answerable.reach.aws.bulk.statement_effects import group_principals_by_statement
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import RcpDenies
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys

RcpDeniesByAccount = Mapping[str, RcpDenies]
_RCP_ACTIONS = tuple(action for action in RULE_ACTIONS if supports_rcps(action))


def recompile_account_rcps(
    accounts: CompiledAccounts, diff: PolicyDiff
) -> RcpDeniesByAccount | None:
    """Recompile the RCPs of the accounts that an edited RCP applies to.

    Returns:
        Denies by account, in order; None where a target's accounts are not known.
    """
    targets = diff.targets[PolicyLayer.RCP]
    under = {target for target in targets if target in accounts.rcps}
    for number, account in accounts.accounts.items():
        if not account.management and not targets.isdisjoint(
            (*account.parents, number)
        ):
            under.add(number)
    over = {parent for one in accounts.accounts.values() for parent in one.parents}
    if targets - under - over - accounts.accounts.keys():
        return None
    found = dict(accounts.rcps)
    for number in under:
        fence = _recompile_rcp_denies(accounts, diff, number)
        found.pop(number, None)
        if fence.denies or fence.gaps:
            found[number] = fence
    return dict(sorted(found.items()))


def _recompile_rcp_denies(
    accounts: CompiledAccounts, diff: PolicyDiff, account_id: str
) -> RcpDenies:
    """Recompile the RCP denies of one account."""
    account = accounts.accounts.get(account_id)
    held: dict[PolicyId, list[PolicyStatement]] = {}
    was = accounts.rcps.get(account_id)
    for grant in was.denies if was else ():
        held.setdefault(grant.policy, []).append(grant)
    texts = diff.texts[PolicyLayer.RCP]
    denies: dict[PolicyStatement, None] = {}
    for target in (*(account.parents if account else ()), account_id):
        for policy in diff.fencing.get(target, ()):
            grants = texts[policy] if policy in texts else held.get(policy, ())
            denies.update(
                (grant, None)
                for grant in grants
                if grant.clause.effect is PolicyEffect.DENY
            )
    return RcpDenies(account_id, tuple(denies), was.gaps if was else ())


def diff_escalation_denies(
    old_rcps: RcpDeniesByAccount, new_rcps: RcpDeniesByAccount
) -> dict[str, set[CompiledStatement]]:
    """Return, by account, denies of escalation actions that were added or removed."""
    found = {}
    for number in old_rcps.keys() | new_rcps.keys():
        old, new = old_rcps.get(number), new_rcps.get(number)
        if old is not new:
            other = set(_list_escalation_denies(old)) ^ set(
                _list_escalation_denies(new)
            )
            if other:
                found[number] = other
    return found


def _list_escalation_denies(rcps: RcpDenies | None) -> Iterator[CompiledStatement]:
    """List the denies that match an action of an escalation rule."""
    for grant in rcps.denies if rcps else ():
        if any(map(grant.clause.matches_action, _RCP_ACTIONS)):
            yield grant.clause


def find_principals_affected_by_denies(
    statements: Iterable[CompiledStatement],
    index: StatementIndex,
    known_keys: ContextKeys,
) -> int:
    """Find the principals to which any of some denies may apply."""
    found, anyone = 0, index.all_principals & ~index.linked
    for clause in set(statements):
        for group in group_principals_by_statement(clause, index, known_keys, anyone):
            found |= group.actors
    return found
