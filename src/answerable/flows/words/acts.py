"""What a person signs that an agent may do, in a sentence.

An agent could have written each name in it, so each stands in quotation marks.
"""

from answerable.flows.words.text import quoted
from answerable.model.amendment import NO_ARGUMENTS, Amendment
from answerable.model.ask import Wanted

ANY_ARGUMENTS = "with any arguments"


def act_words(said: Wanted | Amendment) -> str:
    """Say what is acted on, and where."""
    name = quoted(said.name) if said.name else "without a name"
    return f"{said.target} {name} at {quoted(said.server)}"


def these_arguments(digest: str) -> str:
    """Say which arguments are signed for, by their SHA-256; empty is of none."""
    if digest in ("", NO_ARGUMENTS):
        return "without arguments"
    return f"with these arguments alone (SHA-256 {quoted(digest)})"
