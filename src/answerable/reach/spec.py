"""The rules once more, written for reading: one request, one situation, yes or no.

It shares nothing with the engine but the nouns, and is slow. What is not known about a
request is a question to the situation; a verdict comes from trying every situation
that makes a difference. Tests hold the engine equal to it.

Source of every rule: AWS IAM User Guide, "Policy evaluation logic", "IAM JSON policy
element reference".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from answerable.model.identity import Identity
from answerable.model.policy import ConditionClause, Effect, Layer, Statement
from answerable.reach.spec_conditions import clause_holds, glob
from answerable.reach.spec_facts import (
    Who,
    World,
    find_identity,
    has_policy,
    is_role,
    possible,
    statements,
    unread,
)

Question = tuple[str, str, tuple[str, ...]]  # key, operator, values


@dataclass(frozen=True)
class Unanswered(Exception):  # noqa: N818 - no error: the next question to decide
    """A question the situation does not answer yet."""

    question: Question


@dataclass(frozen=True)
class Situation:
    """Answers to what the snapshot leaves open."""

    answers: dict[Question, bool] = field(default_factory=dict)

    def holds(self, key: str, operator: str, values: Sequence[str]) -> bool:
        """Answer a question; a new one stops the evaluation.

        Raises:
            Unanswered: It was not decided yet.
        """
        question = (key.lower(), operator.lower(), tuple(sorted(set(values))))
        if question not in self.answers:
            raise Unanswered(question)
        return self.answers[question]


def outcomes(
    evaluate: Callable[[Situation], bool], most: int = 4096
) -> Iterator[tuple[Situation, bool]]:
    """Try every situation that makes a difference."""
    waiting = [Situation()]
    while waiting and most:
        situation = waiting.pop()
        most -= 1
        try:
            yield situation, evaluate(situation)
        except Unanswered as open_:
            known = situation.answers
            waiting += [
                Situation({**known, open_.question: answer}) for answer in (True, False)
            ]


def verdict(evaluate: Callable[[Situation], bool]) -> str:
    """`always`, `never`, or `only-if` when it depends on the situation."""
    found = {answer for _, answer in outcomes(evaluate)}
    if found == {True}:
        return "always"
    return "never" if found == {False} else "only-if"


def allowed(world: World, who: Who, action: str, resource: str, now: Situation) -> bool:
    """Decide one request in one situation."""
    if not possible(world.catalogue, action, resource):
        return False
    account = (*resource.split(":", 5), "", "", "", "", "")[4]
    if action.lower().startswith("iam:") and account not in ("", who.identity.account):
        return False  # IAM's calls act on the caller's own account
    keys = known_keys(world, who, resource)
    role = find_identity(world, resource)
    if action.lower() == "sts:assumerole" and role and is_role(role):
        return may_assume(world, who, role, keys, now)
    identity, boundary, denied = _own(world, who, action, resource, keys, now)
    return identity and boundary and not denied


def may_assume(
    world: World,
    who: Who,
    role: Identity,
    keys: dict[str, tuple[str, ...]],
    now: Situation,
) -> bool:
    """Decide `sts:AssumeRole`: in one account either side may name the other."""
    action = "sts:AssumeRole"
    identity, boundary, denied = _own(world, who, action, role.id, keys, now)
    if not has_policy(world, role, Layer.TRUST):
        return identity and boundary and not denied
    said = set()
    for statement in statements(world, role, Layer.TRUST):
        if takes_action(statement, action) and conditions_hold(statement, keys, now):
            for how in named(statement, who.identity, now):
                said.add((statement.effect, how))
    for key, name in unread(world, role, Layer.TRUST):
        if now.holds(key, "Denies", [name]):
            denied = True
        if now.holds(key, "Allows", [name]):
            said.add((Effect.ALLOW, "role"))
    if denied or any(effect is Effect.DENY for effect, _ in said):
        return False
    itself = (Effect.ALLOW, "user or session") in said
    by_name = (Effect.ALLOW, "role") in said
    by_account = (Effect.ALLOW, "account") in said
    if role.account == who.identity.account:
        return itself or (boundary and (by_name or (by_account and identity)))
    return identity and boundary and (itself or by_name or by_account)


def _own(
    world: World,
    who: Who,
    action: str,
    resource: str,
    keys: dict[str, tuple[str, ...]],
    now: Situation,
) -> tuple[bool, bool, bool]:
    """Say what identity policies allow, what the boundary lets through, what denies."""
    mine = [*statements(world, who.identity, Layer.IDENTITY), *who.extra]
    bounds = list(statements(world, who.identity, Layer.BOUNDARY))
    applying = [s for s in mine if applies(s, action, resource, keys, now)]
    bounding = [s for s in bounds if applies(s, action, resource, keys, now)]
    allow = any(s.effect is Effect.ALLOW for s in applying)
    limit = any(s.effect is Effect.ALLOW for s in bounding)
    denied = any(s.effect is Effect.DENY for s in applying + bounding)
    for key, name in unread(world, who.identity, Layer.IDENTITY):
        allow = allow or now.holds(key, "Allows", [name])
        denied = denied or now.holds(key, "Denies", [name])
    for key, name in unread(world, who.identity, Layer.BOUNDARY):
        limit = limit or now.holds(key, "Allows", [name])
        denied = denied or now.holds(key, "Denies", [name])
    if not has_policy(world, who.identity, Layer.BOUNDARY):
        limit = True
    return allow, limit, denied


def applies(
    statement: Statement,
    action: str,
    resource: str,
    keys: dict[str, tuple[str, ...]],
    now: Situation,
) -> bool:
    """Tell whether a statement speaks of a request."""
    return (
        takes_action(statement, action)
        and takes_resource(statement, resource, keys, now)
        and conditions_hold(statement, keys, now)
    )


def takes_action(statement: Statement, action: str) -> bool:
    """Action and NotAction, in any case."""
    if statement.not_actions:
        return not any(glob(p.lower(), action.lower()) for p in statement.not_actions)
    return any(glob(p.lower(), action.lower()) for p in statement.actions)


def takes_resource(
    statement: Statement,
    resource: str,
    keys: dict[str, tuple[str, ...]],
    now: Situation,
) -> bool:
    """Resource and NotResource, in this case only."""
    if statement.not_resources:
        found = (takes_arn(p, resource, keys, now) for p in statement.not_resources)
        return not any(found)
    return any(takes_arn(p, resource, keys, now) for p in statement.resources)


def takes_arn(
    pattern: str, resource: str, keys: dict[str, tuple[str, ...]], now: Situation
) -> bool:
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
        filled, unknown, void = fill(part, keys)
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


def fill(text: str, keys: dict[str, tuple[str, ...]]) -> tuple[str, list[str], bool]:
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
        value = known(keys, key.strip())
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


def conditions_hold(
    statement: Statement, keys: dict[str, tuple[str, ...]], now: Situation
) -> bool:
    """All lines of the Condition block; what is not known is a question."""
    return all(_condition(c, keys, now) for c in statement.conditions)


def _condition(
    clause: ConditionClause, keys: dict[str, tuple[str, ...]], now: Situation
) -> bool:
    given = known(keys, clause.key)
    held = None if given is None else clause_holds(clause, given, keys, fill)
    if held is None:
        return now.holds(clause.key, clause.operator, clause.values)
    return held


def named(statement: Statement, who: Identity, now: Situation) -> list[str]:
    """Say how a trust statement names a principal."""
    if statement.not_principals:
        listed = [value for kind, value in statement.not_principals if kind == "AWS"]
        return [] if any(_name(v, who, now) for v in listed) else ["role"]
    found = [_name(v, who, now) for kind, v in statement.principals if kind == "AWS"]
    return [how for how in found if how]


def _name(value: str, who: Identity, now: Situation) -> str:
    if value == "*":
        return "role"
    if value in (who.account, f"arn:aws:iam::{who.account}:root"):
        return "account"
    if value in (who.id, who.unique_id):
        return "role" if is_role(who) else "user or session"
    session = f"arn:aws:sts::{who.account}:assumed-role/{who.name}/"
    if is_role(who) and value.startswith(session):
        name = value.removeprefix(session)
        if now.holds("sts:RoleSessionName", "StringEquals", [name]):
            return "user or session"
    return ""


def known(keys: dict[str, tuple[str, ...]], key: str) -> tuple[str, ...] | None:
    """Look a key up: its values, none, or None when nothing is known of it.

    A prefix that ends in `/*` says that its other keys are absent.
    """
    folded = key.lower()
    if folded in keys:
        return keys[folded]
    prefix = folded.partition("/")[0] + "/*"
    return () if "/" in folded and prefix in keys else None


def known_keys(world: World, who: Who, resource: str) -> dict[str, tuple[str, ...]]:
    """Collect what the snapshot knows of principal and resource; what is given wins."""
    mine = who.identity
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (mine.id,),
        "aws:principalaccount": (mine.account,),
        "aws:principaltype": ("AssumedRole",) if is_role(mine) else ("User",),
        "aws:principalisawsservice": ("false",),
        "aws:principalservicename": (),
        "aws:username": () if is_role(mine) else (mine.name,),
    }
    if mine.unique_id and not is_role(mine):
        keys["aws:userid"] = (mine.unique_id,)
    if not is_role(mine) or not _tags_sessions(world, mine):
        keys.update({f"aws:principaltag/{k.lower()}": (v,) for k, v in mine.tags})
        keys["aws:principaltag/*"] = ()
    for account in world.facts.accounts:
        if account.id == mine.account and account.organization:
            keys["aws:principalorgid"] = (account.organization,)
    target = find_identity(world, resource)
    if target:
        for prefix in ("aws:resourcetag", "iam:resourcetag"):
            keys.update({f"{prefix}/{k.lower()}": (v,) for k, v in target.tags})
            keys[f"{prefix}/*"] = ()
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[4]:
        keys["aws:resourceaccount"] = (parts[4],)
        for account in world.facts.accounts:
            if account.id == parts[4] and account.organization:
                keys["aws:resourceorgid"] = (account.organization,)
    return {**keys, **world.given}


def _tags_sessions(world: World, role: Identity) -> bool:
    if not has_policy(world, role, Layer.TRUST):
        return True
    return any(
        s.effect is Effect.ALLOW and takes_action(s, "sts:TagSession")
        for s in statements(world, role, Layer.TRUST)
    )
