"""Update of resource control policies (RCPs) after an edit, and the actors affected.

They are recompiled account by account, in the order of a full run. Only added or
removed denies on actions of escalation rules can change a step; most are about
assuming roles.
"""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import PolicyId
from answerable.model.policy import Effect, Layer
from answerable.reach.aws.bulk.policy_diff import ASKED, Edited
from answerable.reach.aws.bulk.statement_effects import groups
from answerable.reach.aws.bulk.statement_index import Index
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.organization_policies import Fence
from answerable.reach.aws.compiled.service_facts import binds_rcps
from answerable.reach.aws.compiled.statements import Clause, Grant
from answerable.reach.aws.evaluation.context_keys import Known

Fences = Mapping[str, Fence]
_BOUND = tuple(action for action in ASKED if binds_rcps(action))


def fences_now(estate: Estate, edited: Edited) -> Fences | None:
    """Recompile the RCPs of the accounts that an edited RCP applies to.

    Returns:
        Denies by account, in order; None where a target's accounts are not known.
    """
    targets = edited.targets[Layer.RCP]
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
        fence = _fence(estate, edited, number)
        found.pop(number, None)
        if fence.denies or fence.gaps:
            found[number] = fence
    return dict(sorted(found.items()))


def _fence(estate: Estate, edited: Edited, number: str) -> Fence:
    account = estate.accounts.get(number)
    held: dict[PolicyId, list[Grant]] = {}
    was = estate.fences.get(number)
    for grant in was.denies if was else ():
        held.setdefault(grant.policy, []).append(grant)
    texts = edited.texts[Layer.RCP]
    denies: dict[Grant, None] = {}
    for target in (*(account.parents if account else ()), number):
        for policy in edited.fencing.get(target, ()):
            grants = texts[policy] if policy in texts else held.get(policy, ())
            denies.update(
                (grant, None) for grant in grants if grant.clause.effect is Effect.DENY
            )
    return Fence(number, tuple(denies), was.gaps if was else ())


def denied_steps(was: Fences, now: Fences) -> dict[str, set[Clause]]:
    """Find the denies of escalation actions that were added or removed, by account."""
    found = {}
    for number in was.keys() | now.keys():
        old, new = was.get(number), now.get(number)
        if old is not new:
            other = set(_bound(old)) ^ set(_bound(new))
            if other:
                found[number] = other
    return found


def _bound(fence: Fence | None) -> Iterator[Clause]:
    for grant in fence.denies if fence else ():
        if any(map(grant.clause.takes_action, _BOUND)):
            yield grant.clause


def spoken_of(clauses: Iterable[Clause], index: Index, known: Known) -> int:
    """Find the actors that any of some denies may apply to."""
    found, anyone = 0, index.all & ~index.linked
    for clause in set(clauses):
        for group in groups(clause, index, known, anyone):
            found |= group.actors
    return found
