"""Edit policies in collected facts: remove statements, remove or attach policies."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import compress
from operator import attrgetter

from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.principals import is_customer_managed_policy

# `identity policy inline/P of user/x allows it (statement 0)`, as tables print it.
_PRINTED_STATEMENT = re.compile(
    r"(?:because )?(?P<policy>.+?)(?: (?:allows|denies) it)? \(statement (?P<sid>.+)\)"
)
_ONE_PER_TARGET = (PolicyLayer.TRUST, PolicyLayer.BOUNDARY, PolicyLayer.RESOURCE)
_MAX_LISTED = 20
_MOST_COMPARED = 2_000  # names that a wrong one is compared with
_get_policy_id = attrgetter("id")


@dataclass(frozen=True, slots=True, order=True)
class StatementId:
    """Id of a policy's statement; it selects every statement with that id.

    Attributes:
        policy: The policy's id.
        sid: The statement's id, or its position where it has none.
    """

    policy: str
    sid: str

    def __str__(self) -> str:
        return f"{self.policy}#{self.sid}"


def remove_policy_statements(
    facts: SightedFacts, removed: Collection[StatementId]
) -> SightedFacts:
    """Remove statements; a policy that loses all of them stays attached, empty.

    Args:
        facts: The collected facts.
        removed: Statements that exist.
    """
    by_policy: dict[str, set[str]] = {}
    for each in removed:
        by_policy.setdefault(each.policy, set()).add(each.sid)
    policies = list(facts.policies)
    # An edit changes few of many policies, which are compared by id alone.
    edited = map(by_policy.__contains__, map(_get_policy_id, policies))
    for place in compress(range(len(policies)), edited):
        policy = policies[place]
        policies[place] = _remove_statements_by_id(policy, by_policy[policy.id])
    return replace(facts, policies=tuple(policies))


def _remove_statements_by_id(policy: Policy, sids: Collection[str]) -> Policy:
    """Return a policy without the statements of some ids."""
    return replace(
        policy,
        statements=tuple(one for one in policy.statements if one.sid not in sids),
        unread=tuple(one for one in policy.unread if one.sid not in sids),
    )


def remove_policy_and_attachments(facts: SightedFacts, policy: str) -> SightedFacts:
    """Return inventory facts without a policy and where it is attached.

    An inline, trust or resource policy stays and is empty, since it was collected.
    A managed policy, a boundary and an SCP are detached from every target.
    """
    layers = {one.layer for one in facts.attachments if one.policy == policy}
    if is_customer_managed_policy(policy) or layers & {
        PolicyLayer.BOUNDARY,
        PolicyLayer.SCP,
    }:
        left = tuple(one for one in facts.attachments if one.policy != policy)
        return replace(facts, attachments=left)
    policies = tuple(
        replace(one, statements=(), unread=()) if one.id == policy else one
        for one in facts.policies
    )
    return replace(facts, policies=policies)


def attach_policy(
    facts: SightedFacts, policy: Policy, target: str, layer: PolicyLayer
) -> SightedFacts:
    """Attach a policy; a trust, boundary or resource policy replaces the target's own."""
    attachments = facts.attachments
    if layer in _ONE_PER_TARGET:
        same = [a for a in attachments if (a.target, a.layer) == (target, layer)]
        held = {policy.id for policy in facts.policies}
        shared = {a.policy for a in attachments if a.target != target}
        for one in same:
            # Replaced in place, so that its attachment stays collected.
            if layer is not PolicyLayer.BOUNDARY and one.policy in held - shared:
                return _replace_policy_text(facts, one.policy, policy)
        attachments = tuple(a for a in attachments if a not in same)
    added = PolicyAttachment(policy.id, target, layer, "", policy.seen)
    return replace(
        facts,
        policies=(*facts.policies, policy),
        attachments=(*attachments, added),
    )


def _replace_policy_text(
    facts: SightedFacts, old: PolicyId, new: Policy
) -> SightedFacts:
    """Replace the statements of a policy with those of another."""
    policies = tuple(
        replace(one, statements=new.statements, unread=new.unread)
        if one.id == old
        else one
        for one in facts.policies
    )
    return replace(facts, policies=policies)


def find_policy_by_printed_name(
    facts: SightedFacts, text: str, printed: Callable[[str], str]
) -> Policy:
    """Find a policy by its id, or as answers print it.

    Args:
        facts: The collected facts.
        text: As typed.
        printed: Formats a policy's id as answers do.

    Raises:
        UsageError: No policy or statement matches.
        AmbiguousError: Several match.
    """
    asked = text.strip()
    found = _select_policies_by_printed_name(facts, asked, printed)
    if not found:
        raise UsageError(
            f"no such policy (got {text[:200]!r}, expected its id as shown in results)",
            _suggest_policy_or_statement_name(asked, facts.policies_by_id(), printed),
        )
    if len(found) > 1:
        named = tuple(sorted(one.id for one in found)[:_MAX_LISTED])
        raise AmbiguousError(
            f"{text[:200]!r} matches several policies (expected the id of one)", named
        )
    return found[0]


def _select_policies_by_printed_name(
    facts: SightedFacts, asked: str, printed: Callable[[str], str]
) -> list[Policy]:
    """Select the policy with an id, or else those with a name or printed name."""
    exact = facts.policies_by_id().get(asked)
    if exact is not None:
        return [exact]
    return [
        one
        for one in facts.iterate_policies()
        if asked == one.name or _matches_printed_policy_name(asked, printed(one.id))
    ]


def _matches_printed_policy_name(wanted_name: str, name: str) -> bool:
    """Return whether a text is a printed name, with or without its layer."""
    return wanted_name == name or wanted_name.endswith(f"policy {name}")


def find_statement_by_printed_name(
    facts: SightedFacts, text: str, printed: Callable[[str], str]
) -> StatementId:
    """Find a statement: `POLICY#STATEMENT` by the policy's id or name, or as printed.

    Args:
        facts: The collected facts.
        text: As typed.
        printed: Formats a policy's id as answers do.

    Raises:
        UsageError: No statement matches; the hint has the nearest spelling.
        AmbiguousError: The text fits several.
    """
    asked = text.strip()
    by_id = facts.policies_by_id()
    known: Policy | None = None
    for policy, sid in _split_statement_name(asked):
        known = by_id.get(policy)
        if known and sid in _list_statement_ids(known):
            return StatementId(policy, sid)
        if known:
            break
    match = _PRINTED_STATEMENT.fullmatch(asked)
    if known is None and match:
        known = find_policy_by_printed_name(facts, match["policy"], printed)
        if match["sid"] in _list_statement_ids(known):
            return StatementId(str(known.id), match["sid"])
    for policy, sid in _split_statement_name(asked) if known is None else ():
        if policy and _select_policies_by_printed_name(facts, policy, printed):
            known = find_policy_by_printed_name(facts, policy, printed)
            if sid in _list_statement_ids(known):
                return StatementId(str(known.id), sid)
            break
    if known:
        near = [
            str(StatementId(str(known.id), sid)) for sid in _list_statement_ids(known)
        ]
        hint = _suggest_policy_or_statement_name(asked, near, str)
        raise UsageError(
            f"no such statement (got {text[:200]!r}, expected one of "
            f"{', '.join(_list_statement_ids(known)[:_MAX_LISTED]) or 'none: the policy is empty'})",
            hint,
        )
    every = (
        str(StatementId(str(one.id), sid))
        for one in facts.iterate_policies()
        for sid in _list_statement_ids(one)
    )
    raise UsageError(
        f"no such statement (got {text[:200]!r}, expected POLICY#STATEMENT)",
        _suggest_policy_or_statement_name(asked, every, str),
    )


def _split_statement_name(text: str) -> Iterator[tuple[str, str]]:
    """Yield each way to split a name into policy and statement id."""
    for mark in ("#", " statement ", " "):
        policy, found, sid = text.rpartition(mark)
        if found:
            yield policy.strip(), sid.strip()


def _list_statement_ids(policy: Policy) -> list[str]:
    """List the statement ids of a policy, readable and unreadable."""
    said = [one.sid for one in policy.statements]
    return list(dict.fromkeys([*said, *(one.sid for one in policy.unread)]))


def list_statements_of_policy(policy: Policy) -> list[StatementId]:
    """List the statements of a policy, readable and unreadable."""
    return [StatementId(str(policy.id), sid) for sid in _list_statement_ids(policy)]


def _suggest_policy_or_statement_name(
    text: str, known: Iterable[str], printed: Callable[[str], str]
) -> str:
    """Suggest the nearest known policy or statement name; of many, the first count."""
    start = text.rpartition(":")[2][:4]
    near: dict[str, str] = {}
    others: dict[str, str] = {}
    for each in known:
        for name in (printed(each), each):
            names = near if name.rpartition(":")[2][:4] == start else others
            if name in names or len(names) < _MOST_COMPARED:
                names[name] = each
    names = near or others
    close = get_close_matches(text, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {names[close[0]]}?"
    return (
        "`answerable can SUBJECT ACTION RESOURCE -o json` prints policy and statement"
    )
