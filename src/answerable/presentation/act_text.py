"""Sentences about the act that a person signs, with untrusted names quoted.

An agent could have written each name, so each is quoted.
"""

from answerable.model.approval_request import Wanted
from answerable.model.policy_exception import NO_ARGUMENTS, Amendment
from answerable.presentation.text import quoted

ANY_ARGUMENTS = "with any arguments"


def act_words(said: Wanted | Amendment) -> str:
    """Describe the target of an act."""
    name = quoted(said.name) if said.name else "without a name"
    return f"{said.target} {name} at {quoted(said.server)}"


def these_arguments(digest: str) -> str:
    """Describe the arguments that are signed for, by SHA-256; empty for none."""
    if digest in ("", NO_ARGUMENTS):
        return "without arguments"
    return f"with these arguments alone (SHA-256 {quoted(digest)})"
