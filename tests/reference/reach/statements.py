"""Match of a statement against a request: action, resource and conditions.

Source: AWS IAM User Guide, "IAM JSON policy element reference".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from answerable.model.policy import ConditionClause, PolicyEffect, Statement
from tests.reference.reach.conditions import (
    SEEN,
    Keys,
    clause_holds,
    decided_by_time,
    glob,
)
from tests.reference.reach.facts import PlacedPolicy
from tests.reference.reach.situation import Situation


@dataclass(frozen=True)
class Call:
    """Request in one situation; `keys` alone identify the caller."""

    action: str
    resource: str
    keys: Keys
    now: Situation


def allows(here: PlacedPolicy, call: Call) -> bool:
    """Return whether an Allow of this place applies, or may in what is missing."""
    return statement_applies(here.statements, PolicyEffect.ALLOW, call) or unread_may(
        here, "Allows", call
    )


def denies(here: PlacedPolicy, call: Call) -> bool:
    """Return whether a Deny of this place applies, or may in what is missing."""
    return statement_applies(here.statements, PolicyEffect.DENY, call) or unread_may(
        here, "Denies", call
    )


def statement_applies(
    statements: Iterable[Statement], effect: PolicyEffect, call: Call
) -> bool:
    """Return whether a statement of this effect applies."""
    return any(applies(s, call) for s in statements if s.effect is effect)


def unread_may(here: PlacedPolicy, what: str, call: Call) -> bool:
    """Return whether something that was not read `FindLaunchRule` or `Denies` the request."""
    return any(call.now.holds(key, what, [name]) for key, name in here.gaps)


def applies(statement: Statement, call: Call) -> bool:
    """Return whether a statement applies to a request."""
    return (
        takes_action(statement, call.action)
        and takes_resource(statement, call.resource, call.keys, call.now)
        and conditions_hold(statement, call.keys, call.now)
    )


def takes_action(statement: Statement, action: str) -> bool:
    """Action and NotAction, in any case."""
    if statement.not_actions:
        return not any(glob(p.lower(), action.lower()) for p in statement.not_actions)
    return any(glob(p.lower(), action.lower()) for p in statement.actions)


def takes_resource(
    statement: Statement, resource: str, keys: Keys, now: Situation
) -> bool:
    """Resource and NotResource, in this case only.

    A statement of a policy that hangs on one thing, such as a trust policy or that of
    an ECR repository, may have neither: it speaks of that thing.
    """
    if statement.not_resources:
        found = (takes_arn(p, resource, keys, now) for p in statement.not_resources)
        return not any(found)
    if not statement.resources:
        return True
    return any(takes_arn(p, resource, keys, now) for p in statement.resources)


def takes_arn(pattern: str, resource: str, keys: Keys, now: Situation) -> bool:
    """Match the six parts of an ARN one by one; a variable not known is a question."""
    if pattern.strip("*") == "" and pattern:
        return True
    theirs = resource.split(":", 5)
    mine = _parts(pattern)
    mine += ["*"] * (6 - len(mine))
    if len(theirs) != 6:
        return False
    asked = []
    for part, text in zip(mine, theirs, strict=True):
        filled, unknown, void = fill_variables(part, keys)
        if void or not glob(filled, text):
            return False
        asked += unknown
    return all(now.holds(key, "PolicyVariable", [pattern]) for key in asked)


def _parts(pattern: str) -> list[str]:
    """Split at colons, but for those inside `${...}`."""
    parts, depth = [""], False
    for position, letter in enumerate(pattern):
        if pattern.startswith("${", position):
            depth = True
        if letter == ":" and not depth and len(parts) < 6:
            parts.append("")
        else:
            parts[-1] += letter
        if letter == "}":
            depth = False
    return parts


def fill_variables(text: str, keys: Keys) -> tuple[str, list[str], bool]:
    """Put values in place of `${key}`; their own `*` and `?` become letters.

    A letter that looks like a wildcard is written after a NUL.
    """
    out, void = "", False
    unknown: list[str] = []
    while "${" in text:
        head, _, tail = text.partition("${")
        inside, closed, text = tail.partition("}")
        out += head
        if not closed:
            return out + "${" + inside, unknown, void
        key, comma, default = inside.partition(",")
        value = find_key(keys, key.strip())
        if inside in ("*", "?", "$"):
            out += "\0" + inside
        elif value is None:
            out += "*"
            unknown.append(key.strip())
        elif len(value) == 1:
            out += _letters(value[0])
        elif comma:
            out += _letters(default.strip().strip("'"))
        else:
            void = True
    return out + text, unknown, void


def _letters(text: str) -> str:
    return text.replace("*", "\0*").replace("?", "\0?")


def conditions_hold(statement: Statement, keys: Keys, now: Situation) -> bool:
    """All lines of the Condition block; what is not known is a question."""
    return all(condition_holds(c, keys, now) for c in statement.conditions)


def condition_holds(clause: ConditionClause, keys: Keys, now: Situation) -> bool:
    """One line of a Condition block."""
    given = find_key(keys, clause.key)
    if given is None:
        held = decided_by_time(clause, Decimal(keys[SEEN][0])) if SEEN in keys else None
    else:
        held = clause_holds(clause, given, keys, fill_variables)
    if held is None:
        return now.holds(clause.key, clause.operator, clause.values)
    return held


def find_key(keys: Keys, key: str) -> tuple[str, ...] | None:
    """Look a key up: its values, none, or None when nothing is known of it.

    A prefix that ends in `/*` says that its other keys are absent.
    """
    folded = key.lower()
    if folded in keys:
        return keys[folded]
    prefix = folded.partition("/")[0] + "/*"
    return () if "/" in folded and prefix in keys else None
