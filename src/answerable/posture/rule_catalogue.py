"""Catalogue of the rules; the order decides between equal severities."""

from answerable.posture.access_rules import ACCESS_RULES
from answerable.posture.agent_rules import AGENT_RULES
from answerable.posture.rule import FindingRule

RULES: tuple[FindingRule, ...] = (*AGENT_RULES, *ACCESS_RULES)
PLATFORMS = tuple(sorted({name for rule in RULES for name in rule.platforms}))
RULES_BY_ID = {rule.id: rule for rule in RULES}
