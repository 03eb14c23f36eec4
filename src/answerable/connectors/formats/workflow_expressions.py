"""Find secrets and texts of outsiders in the expressions of a GitHub workflow.

Sources: https://docs.github.com/actions/reference/workflows-and-actions/contexts,
https://docs.github.com/actions/concepts/security/script-injections
"""

import re
from collections.abc import Iterable, Iterator

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([\w-]+)|\[\s*'([\w-]+)'\s*\]|\b)", re.I)
_CONTEXT = re.compile(r"\bgithub(?:\.[\w*-]+|\[[^\]]*\])*", re.I)
_PART = re.compile(r"[\w*-]+")
# Ends of the paths below `github.event` that an outsider writes.
_OUTSIDER_ENDS = frozenset(
    [
        "body",
        "default_branch",
        "email",
        "head_branch",
        "head_ref",
        "label",
        "message",
        "name",
        "page_name",
        "ref",
        "title",
        "display_title",
    ]
)
# Objects that hold such texts, where an expression prints them whole.
_OUTSIDER_OBJECTS = frozenset(
    [
        "issue",
        "pull_request",
        "comment",
        "review",
        "discussion",
        "commits",
        "head_commit",
        "pages",
        "workflow_run",
        "changes",
    ]
)
# Below these the repository's own writers choose.
_WRITER_PARTS = frozenset(
    [
        "repository",
        "organization",
        "base",
        "inputs",
        "client_payload",
        "label",
        "milestone",
        "sender",
        "installation",
        "enterprise",
        "release",
        "deployment",
    ]
)
_MIN_PATH = 3  # github.event.OBJECT


def find_expressions(text: str) -> Iterator[str]:
    """Yield the expressions `${{ ... }}` of a text."""
    for found in _EXPRESSION.finditer(text):
        yield found[1].strip()


def find_secret_names(texts: Iterable[str]) -> set[str]:
    """Find the secrets that texts read; `*` for a name that is computed.

    The job's own token is none of them.
    """
    names: set[str] = set()
    for text in texts:
        for expression in find_expressions(text):
            for found in _SECRET.finditer(expression):
                names.add((found[1] or found[2] or "*").upper())
    return names - {"GITHUB_TOKEN"}


def find_outsider_texts(expression: str) -> Iterator[str]:
    """Yield the contexts of an expression that hold text of an outsider."""
    for found in _CONTEXT.finditer(expression):
        parts = [part.lower() for part in _PART.findall(found[0])]
        if _is_outsider_text(parts):
            yield found[0]


def _is_outsider_text(parts: list[str]) -> bool:
    """Return whether an outsider writes the text at a path of the `github` context."""
    if parts[1:] == ["head_ref"] or parts[1:] == ["event"]:
        return True
    if parts[1:2] != ["event"] or len(parts) < _MIN_PATH:
        return False
    if _WRITER_PARTS & set(parts[2:]) or parts[2] not in _OUTSIDER_OBJECTS:
        return False
    return len(parts) == _MIN_PATH or parts[-1] in _OUTSIDER_ENDS
