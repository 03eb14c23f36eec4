"""What a page about permissions was asked, and the same question elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.flows.given import read_context
from answerable.flows.hints import command
from answerable.web.filters import url

# Statements that are taken away: a box of the form each.
REMOVED = tuple(f"without{number}" for number in range(24))
ASKED = ("subject", "action", "resource", "direct", "context", "after")
_DIRECT = "yes"


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        subject: Whom it is about; empty for nobody yet.
        action: An action or a pattern; empty for any.
        resource: A resource or a pattern; empty for any.
        direct: Whether paths are left aside.
        stated: Condition keys, a `KEY=VALUE` on each line.
        after: Where to go on.
    """

    subject: str = ""
    action: str = ""
    resource: str = ""
    direct: bool = False
    stated: str = ""
    after: str = ""

    @property
    def context(self) -> Mapping[str, tuple[str, ...]]:
        """The condition keys.

        Raises:
            UsageError: A line is no pair.
        """
        lines = (line.strip() for line in self.stated.splitlines())
        return read_context(line for line in lines if line)

    @property
    def said(self) -> dict[str, str]:
        """Its parameters."""
        return {
            "subject": self.subject,
            "action": self.action,
            "resource": self.resource,
            "direct": _DIRECT if self.direct else "",
            "context": self.stated,
        }

    def at(self, path: str, **other: str) -> str:
        """Link to the same question, but for what is said to be other."""
        return url(path, **{**self.said, **other})

    def command(self, *words: str) -> str:
        """Spell it for the command line.

        Args:
            words: The command, and its arguments.
        """
        spelled = [*words, *(("--direct",) if self.direct else ())]
        for line in self.stated.splitlines():
            if line.strip():
                spelled += ["--context", line.strip()]
        return command(*spelled)


def read(query: Mapping[str, str]) -> Question:
    """Read a question."""
    return Question(
        subject=query.get("subject", "").strip(),
        action=query.get("action", "").strip(),
        resource=query.get("resource", "").strip(),
        direct=query.get("direct", "") == _DIRECT,
        stated=query.get("context", ""),
        after=query.get("after", ""),
    )
