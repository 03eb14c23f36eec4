"""Reference evaluation of policies: Cedar itself, on the whole policy set."""

import re
from functools import lru_cache
from typing import Any

from cedarpy import PolicySet

from answerable.authorization.cedar.cedar_request import Facts
from answerable.authorization.cedar.engine import answered
from answerable.authorization.cedar.scopes import server_of
from answerable.authorization.cedar.slices import Said, said
from answerable.authorization.name_patterns import is_plain
from answerable.model.cedar_policy import CedarRule, CedarRules
from answerable.model.decision import Effect, Request


def say(rules: CedarRules, request: Request) -> Said:
    """Evaluate every policy for a request, one by one."""
    policies = _parsed(tuple(rule.text for rule in rules.rules))
    facts = Facts(request)
    asked = facts.about() | {"context": facts.in_context()}
    everywhere = range(len(rules.rules))
    holding, erring = answered(everywhere, asked, policies, facts.entities())
    heads = _parsed(tuple(_head(rule.text) for rule in rules.rules))
    about, _ = answered(everywhere, asked, heads, facts.entities())
    taken = tuple(at for at in about if _is_taken_in_two_ways(rules.rules[at], facts))
    return said(rules.rules, holding, (*erring, *taken))


def _head(text: str) -> str:
    """Cut the conditions of a policy, and make it a permit: Cedar names each that holds."""
    (start, *_) = re.finditer(r"(?:permit|forbid) \(", text)
    (end, *_) = re.finditer(r"\)\s*(?:when|unless|;)", text)
    return f"permit ({text[start.end() : end.start()]});"


def _is_taken_in_two_ways(rule: CedarRule, facts: Facts) -> bool:
    given = facts.context.get("arguments")
    for path in rule.reads:
        here: Any = given
        for name in path:
            if not isinstance(here, dict):
                break
            keys = [*here, *getattr(here, "nulls", ())]  # null is a value to others
            if any(key != name and _plain(key) == _plain(name) for key in keys):
                return True
            here = here.get(name)
    for variable, *names in rule.prefixes:
        if variable == "resource":
            if not is_plain(facts.name):
                return True
            continue
        here = facts.context
        for name in names:
            here = here.get(name) if isinstance(here, dict) else None
        if isinstance(here, str) and (".." in here.split("/") or "\0" in here):
            return True
    return False


def _plain(key: str) -> str:
    """Fold a name whose characters are letters, NUL and zero-width space alone."""
    return key.replace("\0", "").replace("\u200b", "").casefold()


def connecting(rules: CedarRules, request: Request) -> str:
    """Name the first permit that lets an agent do anything at a server."""
    for rule in rules.rules:
        is_about = rule.principal in ("", request.agent)
        there = server_of(rule.resource) in ("", request.server)
        if rule.effect is Effect.ALLOW and is_about and there:
            return rule.id
    return ""


@lru_cache(maxsize=2)
def _parsed(texts: tuple[str, ...]) -> PolicySet:
    return PolicySet.from_str("\n".join(texts))
