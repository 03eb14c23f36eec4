"""Describe in a sentence the act that a person signs; untrusted names are quoted.

An agent could have written each name, so each is quoted.
"""

from answerable.model.approval_request import ApprovalScope
from answerable.model.policy_exception import NO_ARGUMENTS, PolicyException
from answerable.presentation.text import quote

ANY_ARGUMENTS = "with any arguments"


def describe_act(act: ApprovalScope | PolicyException) -> str:
    """Describe the tool, resource or prompt that an act calls, and its server."""
    name = quote(act.name) if act.name else "without a name"
    return f"{act.target} {name} at {quote(act.server)}"


def describe_arguments(digest: str) -> str:
    """Describe the arguments that are signed for, by SHA-256; empty for none."""
    if digest in ("", NO_ARGUMENTS):
        return "without arguments"
    return f"with only these arguments (SHA-256 {quote(digest)})"
