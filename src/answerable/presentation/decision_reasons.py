"""Describe each reason code of an authorization decision in plain language."""

# Reasons, as one line.
REASONS = {
    "allowed": "a rule allows it",
    "killed": "a kill blocks it",
    "unknown-agent": "the agent is in neither the configuration nor the inventory",
    "unknown-server": "the configuration has no such server",
    "no-rule": "no rule of the agent allows it",
    "not-its-own": "it belongs to another caller",
    "quarantined": "its definition or its server differs from the approved one",
    "forbidden": "a policy forbids it",
    "asked": "it requires the owner's approval",
    "parent": "an agent above it in the chain is not allowed to do it",
    "behaviour": "it is not in the signed baseline",
    "granted": "a signed policy exception allows it",
    "break-glass": "a break-glass of two persons allows it",
    "policy-missing": "no policy could be loaded",
    "evaluation": "the decision failed",
    "credential": "the credential of the server is missing",
    "evidence": "it could not be recorded",
}
