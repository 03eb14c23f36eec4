"""Parse a permission question; build its links and its CLI command."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.presentation.command_hints import format_command
from answerable.services.reach.stated_request_context import parse_context_keys
from answerable.web.template_filters import build_url

# Checkboxes of the form, one for each removed statement.
REMOVED_FIELDS = tuple(f"without{number}" for number in range(24))
QUESTION_FIELDS = ("subject", "action", "resource", "direct", "context", "after")
# Of `/reach` only: one identity of the paths, and paths without their rows.
PATH_FIELDS = ("to", "rows")
_COLLAPSED = "none"
_DIRECT = "yes"


@dataclass(frozen=True, slots=True)
class ReachQuestion:
    """One permission question.

    Attributes:
        subject: Empty if not chosen yet.
        action: An action or a pattern; empty for any.
        resource: A resource or a pattern; empty for any.
        stated: Condition keys, a `KEY=VALUE` on each line.
        to: Identity at the end of the paths; empty for all.
        collapsed: Whether paths are listed without their rows.
    """

    subject: str = ""
    action: str = ""
    resource: str = ""
    direct: bool = False
    stated: str = ""
    after: str = ""
    to: str = ""
    collapsed: bool = False

    @property
    def condition_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Parse the condition keys of the request.

        Raises:
            UsageError: A line is malformed.
        """
        lines = (line.strip() for line in self.stated.splitlines())
        return parse_context_keys(line for line in lines if line)

    @property
    def parameters(self) -> dict[str, str]:
        """Return the question as URL query parameters."""
        return {
            "subject": self.subject,
            "action": self.action,
            "resource": self.resource,
            "direct": _DIRECT if self.direct else "",
            "context": self.stated,
        }

    def link_to(self, path: str, **other: str) -> str:
        """Return a URL for the question with some parameters changed."""
        return build_url(path, **{**self.parameters, **other})

    def link_to_paths(self, **other: str) -> str:
        """Return a URL of `/reach` with the same view of the paths, some changed."""
        view = {"to": self.to, "rows": _COLLAPSED if self.collapsed else ""}
        return self.link_to("/reach", **{**view, **other})

    def build_command(self, *words: str) -> str:
        """Return the equivalent CLI command.

        Args:
            words: The command, and its arguments.
        """
        spelled = [*words, *(("--direct",) if self.direct else ())]
        for line in self.stated.splitlines():
            if line.strip():
                spelled += ["--context", line.strip()]
        return format_command(*spelled)


def parse_question(query: Mapping[str, str]) -> ReachQuestion:
    """Parse a question from URL query parameters."""
    return ReachQuestion(
        subject=query.get("subject", "").strip(),
        action=query.get("action", "").strip(),
        resource=query.get("resource", "").strip(),
        direct=query.get("direct", "") == _DIRECT,
        stated=query.get("context", ""),
        after=query.get("after", ""),
        to=query.get("to", "").strip(),
        collapsed=query.get("rows", "") == _COLLAPSED,
    )
