"""Sentences about the act that a person signs, with untrusted names quoted.

An agent could have written each name, so each is quoted.
"""

from answerable.model.approval_request import ApprovalScope
from answerable.model.policy_exception import NO_ARGUMENTS, PolicyException
from answerable.presentation.text import quote

ANY_ARGUMENTS = "with any arguments"


def describe_act(said: ApprovalScope | PolicyException) -> str:
    """Describe the target of an act."""
    name = quote(said.name) if said.name else "without a name"
    return f"{said.target} {name} at {quote(said.server)}"


def describe_arguments(digest: str) -> str:
    """Describe the arguments that are signed for, by SHA-256; empty for none."""
    if digest in ("", NO_ARGUMENTS):
        return "without arguments"
    return f"with these arguments alone (SHA-256 {quote(digest)})"
