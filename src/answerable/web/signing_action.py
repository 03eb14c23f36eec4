"""Define the signing action: a statement that a person may sign on a page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.model.errors import UsageError
from answerable.services.statements.owner_keys import StatementSigner

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore
    from answerable.web.call_changes import CallChange

ActionFields = Mapping[str, str]
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class SigningAction:
    """A statement that a person may sign.

    Attributes:
        title: What the person states, in one sentence.
        follows: Consequences, a sentence each.
        subject: Id of its subject.
        execute: Runs the use case with the signer and the time.
        command: The same on the command line.
        back: Page to return to.
        changes: Calls that the signature makes possible or ends.
        second_step: Page on which it can be signed, if this page only shows that
            enforcement ends; empty if it can be signed here.
    """

    title: str
    follows: tuple[str, ...]
    subject: str
    execute: "Callable[[EvidenceStore, StatementSigner, int], object]"
    command: str
    back: str
    confirmation: str
    second_step: str = ""
    changes: "tuple[CallChange, ...]" = ()


def read_choice(
    fields: ActionFields,
    name: str,
    default: str,
    choices: "Mapping[str, int] | list[str] | tuple[str, ...]",
) -> str:
    """Return a form field that must be one of some choices.

    Raises:
        UsageError: It is another word.
    """
    value = fields.get(name, default)
    if value not in choices:
        raise UsageError(
            f"invalid value for {name} (got {value[:80]!r}, "
            f"expected {', '.join(choices)})",
            "choose one of them",
        )
    return value


def is_hex(text: str, size: int) -> bool:
    """Return whether a text is exactly `size` lower-case hex digits."""
    return len(text) == size and _HEX.issuperset(text)
