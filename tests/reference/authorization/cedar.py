"""Reference evaluation of policies: Cedar itself, on the whole policy set."""

import re
from functools import lru_cache
from typing import Any

from cedarpy import PolicySet

from answerable.authorization.cedar.cedar_request import CedarRequest
from answerable.authorization.cedar.engine import evaluate_in_engine
from answerable.authorization.cedar.policy_slices import (
    PolicyResponse,
    combine_policy_results,
)
from answerable.authorization.cedar.scopes import resource_server
from answerable.authorization.name_patterns import is_unambiguous_name
from answerable.model.cedar_policy import CedarPolicy, CedarPolicySet
from answerable.model.decision import AuthorizationRequest, DecisionEffect


def evaluate_policies(
    rules: CedarPolicySet, request: AuthorizationRequest
) -> PolicyResponse:
    """Evaluate every policy for a request, one by one."""
    policies = _parsed(tuple(rule.text for rule in rules.rules))
    facts = CedarRequest(request)
    asked = facts.scope_json() | {"context": facts.context_json()}
    everywhere = range(len(rules.rules))
    holding, erring = evaluate_in_engine(
        everywhere, asked, policies, facts.entities_json()
    )
    heads = _parsed(tuple(_head(rule.text) for rule in rules.rules))
    about, _ = evaluate_in_engine(everywhere, asked, heads, facts.entities_json())
    taken = tuple(at for at in about if _is_taken_in_two_ways(rules.rules[at], facts))
    return combine_policy_results(rules.rules, holding, (*erring, *taken))


def _head(text: str) -> str:
    """Cut the conditions of a policy, and make it a permit: Cedar names each that holds."""
    (start, *_) = re.finditer(r"(?:permit|forbid) \(", text)
    (end, *_) = re.finditer(r"\)\s*(?:when|unless|;)", text)
    return f"permit ({text[start.end() : end.start()]});"


def _is_taken_in_two_ways(rule: CedarPolicy, facts: CedarRequest) -> bool:
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
            if not is_unambiguous_name(facts.name):
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


def find_connecting_permit(rules: CedarPolicySet, request: AuthorizationRequest) -> str:
    """Name the first permit that lets an agent do anything at a server."""
    for rule in rules.rules:
        is_about = rule.principal in ("", request.agent)
        there = resource_server(rule.resource) in ("", request.server)
        if rule.effect is DecisionEffect.ALLOW and is_about and there:
            return rule.id
    return ""


@lru_cache(maxsize=2)
def _parsed(texts: tuple[str, ...]) -> PolicySet:
    return PolicySet.from_str("\n".join(texts))
