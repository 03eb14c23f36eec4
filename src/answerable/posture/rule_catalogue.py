"""Catalogue of the rules; the order decides between equal severities."""

from answerable.posture.rule import FindingRule
from answerable.posture.rules.credentials import find_scattered_credentials
from answerable.posture.rules.ownership import find_unowned_agents

RULES: tuple[FindingRule, ...] = (
    FindingRule(
        id="scattered-credential",
        title="Static credential in several files",
        question="Which static credentials are in more than one file?",
        detail="A key in several files is rotated in one and forgotten in another. Two "
        "places with one value count as such; references to a variable or a secret "
        "store do not.",
        platforms=("home", "repo"),
        owasp=("NHI2:2025", "NHI7:2025"),
        needs="configuration files of a home or a project",
        severity="insider x reach of its identity x standing, in several places",
        repair="Rotate the key, and keep it in one secret store.",
        evaluate=find_scattered_credentials,
    ),
    FindingRule(
        id="unowned-agent",
        title="Agent without an owner",
        question="Which agents does no one answer for?",
        detail="No evidence names a person or a team for the agent, so that no one "
        "reviews its access or answers for its actions.",
        platforms=("home", "repo", "aws", "kubernetes", "github"),
        owasp=("NHI1:2025", "ASI10:2026"),
        needs="any source with agents",
        severity="insider x reach of the agent x unbounded",
        repair="Record the person who answers for it.",
        evaluate=find_unowned_agents,
    ),
)
RULES_BY_ID = {rule.id: rule for rule in RULES}
