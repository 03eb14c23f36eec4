"""Describe each reason code of an authorization decision in plain language."""

# Reasons, as one line.
REASONS = {
    "allowed": "a rule allows it",
    "killed": "a kill blocks it",
    "unknown-agent": "the agent is in neither the configuration nor the inventory",
    "unknown-server": "the configuration has no such server",
    "no-rule": "no rule of the agent allows it",
    "not-its-own": "its task, state or session belongs to another caller",
    "quarantined": "its definition or its server differs from the approved one",
    "forbidden": "a policy forbids it",
    "asked": "it requires the owner's approval",
    "parent": "a parent agent is not allowed to make the call",
    "behaviour": "it deviates from the agent's signed baseline",
    "granted": "a signed policy exception allows it",
    "break-glass": "a break-glass exception of two persons allows it",
    "policy-missing": "no policy could be loaded",
    "evaluation": "a policy could not be evaluated, or the decision failed",
    "credential": "no credential for the server is available",
    "evidence": "the decision could not be recorded",
}
