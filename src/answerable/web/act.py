"""Something that a person may sign on a page, in words and with its flow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.flows.owner_keys import Signatory
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.store.store import Store

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person may sign.

    Attributes:
        title: What they say by it, in one sentence.
        follows: What follows from it, a sentence each.
        subject: What it is about.
        tell: Tells the flow, with whoever signs and the time.
        command: The same on the command line.
        back: Where to go on.
        said: What was done, shown there.
        second_step: Page on which it can be signed, where this one only says what it
            ends; empty where it can be signed here.
    """

    title: str
    follows: tuple[str, ...]
    subject: str
    tell: "Callable[[Store, Signatory, int], object]"
    command: str
    back: str
    said: str
    second_step: str = ""


def word(
    fields: Fields,
    name: str,
    usual: str,
    known: "Mapping[str, int] | list[str] | tuple[str, ...]",
) -> str:
    """Read one of a few words.

    Raises:
        UsageError: It is none of them.
    """
    said = fields.get(name, usual)
    if said not in known:
        raise UsageError(
            f"unknown word for {name} (got {said[:80]!r}, expected {', '.join(known)})",
            "choose one of them",
        )
    return said
