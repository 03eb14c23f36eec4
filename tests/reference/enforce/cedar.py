"""The policies as they are meant: Cedar itself, asked about the whole set."""

from functools import lru_cache

from cedarpy import PolicySet

from answerable.enforce.cedar.asking import answered
from answerable.enforce.cedar.facts import Facts
from answerable.enforce.cedar.scopes import server_of
from answerable.enforce.cedar.slices import Said, said
from answerable.model.cedar import CedarRules
from answerable.model.decision import Effect, Request


def say(rules: CedarRules, request: Request) -> Said:
    """Say what every policy comes to for a request, slowly."""
    policies = _parsed(tuple(rule.text for rule in rules.rules))
    facts = Facts(request)
    asked = facts.about() | {"context": facts.in_context()}
    everywhere = range(len(rules.rules))
    return said(rules.rules, *answered(everywhere, asked, policies, facts.entities()))


def connecting(rules: CedarRules, request: Request) -> str:
    """Name the first permit that lets an agent do anything at a server."""
    for rule in rules.rules:
        is_about = rule.principal in ("", request.agent)
        there = server_of(rule.resource) in ("", request.server)
        if rule.effect is Effect.ALLOW and is_about and there:
            return rule.id
    return ""


@lru_cache(maxsize=1)
def _parsed(texts: tuple[str, ...]) -> PolicySet:
    return PolicySet.from_str("\n".join(texts))
