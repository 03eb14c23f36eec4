"""Describe each reason code of an authorization decision in plain language."""

# Reasons, as one line.
REASONS = {
    "allowed": "a rule allows it",
    "killed": "a kill holds it",
    "unknown-agent": "neither the file nor the inventory knows the agent",
    "unknown-server": "the file has no such server",
    "no-rule": "the agent has no rule that takes it",
    "not-its-own": "it belongs to another caller",
    "quarantined": "its definition or its server is not as it was approved",
    "forbidden": "a policy forbids it",
    "asked": "allowed once its owner has said so",
    "parent": "an agent above it in the chain may not do it either",
    "behaviour": "the signed baseline does not hold it",
    "granted": "a signed amendment allows it",
    "break-glass": "two persons allow it for a while",
    "policy-missing": "no policy could be loaded",
    "evaluation": "deciding failed",
    "credential": "there is nothing to show to the server",
    "evidence": "it could not be recorded",
}
