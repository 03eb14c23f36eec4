"""Tool rules in a workflow step, in the form of the client's settings.

Sources: https://github.com/anthropics/claude-code-action/blob/main/docs/usage.md,
https://github.com/openai/codex-action and
https://github.com/google-github-actions/run-gemini-cli.
"""

import shlex
from collections.abc import Sequence

from answerable.connectors.formats.agent_definition import split_tools
from answerable.connectors.formats.document_node import Node, Raw
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.model.errors import ParseError

_WORDS_LIMIT = 2_000
_TEXT_LIMIT = 100_000
# Without a person to ask, Claude Code runs what is allowed and what never asks.
_NEVER_ASKS = ("Read", "Edit", "Write")
_BYPASS = ("--dangerously-skip-permissions", "bypassPermissions")
_ALLOWED = ("--allowedTools", "--allowed-tools")
_REFUSED = ("--disallowedTools", "--disallowed-tools")
_FULL = ("--dangerously-bypass-approvals-and-sandbox", "--yolo")


def step_settings(client: str, step: Node) -> tuple[Node, ...]:
    """Read the tool rules of a step as settings of its client.

    Args:
        client: Agent kind.
        step: Node of the step.

    Returns:
        Settings, highest precedence first.
    """
    inputs = step.get("with") or Node("", None)
    words = _words(inputs.text_at("claude_args", "codex-args", "codex_args"))
    words += _words(step.text_at("run"))
    stated = _json(inputs.text_at("settings"))
    if client == "claude-code":
        return (*stated, *_claude(inputs, words))
    if client == "codex":
        return (_codex(inputs, words, is_action=step.get("uses") is not None),)
    return stated


def _claude(inputs: Node, words: Sequence[str]) -> tuple[Node, ...]:
    if any(word in _BYPASS for word in words):
        return ()
    allowed = [*_NEVER_ASKS, *inputs.texts("allowed_tools"), *_values(words, _ALLOWED)]
    refused = [*inputs.texts("disallowed_tools"), *_values(words, _REFUSED)]
    raw: dict[str, Raw] = {"--allowedTools": list(allowed)}
    raw["permissions"] = {"deny": list(refused)}
    return (Node("", raw),)


def _codex(inputs: Node, words: Sequence[str], *, is_action: bool) -> Node:
    given = inputs.text_at("sandbox")
    for flag in ("--sandbox", "-s"):
        if flag in words[:-1]:
            given = words[words.index(flag) + 1]
    if any(word in _FULL for word in words):
        given = "danger-full-access"
    default = "workspace-write" if is_action else "read-only"
    return Node("", {"sandbox_mode": given or default})


def _values(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Collect the words after a flag, up to the next flag."""
    found: list[str] = []
    taking = False
    for word in words:
        flag, equals, value = word.partition("=")
        if word.startswith("-"):
            taking = flag in flags
            found += split_tools(value) if taking and equals else ()
        elif taking:
            found += split_tools(word)
    return found


def _words(text: str) -> list[str]:
    cut = text[:_TEXT_LIMIT].replace("\\\n", " ")
    try:
        return shlex.split(cut, comments=True)[:_WORDS_LIMIT]
    except ValueError:  # a quote that never ends
        return cut.split()[:_WORDS_LIMIT]


def _json(text: str) -> tuple[Node, ...]:
    if not text.lstrip().startswith("{"):
        return ()
    try:
        return (Node("", parse_jsonc(text)),)
    except ParseError:
        return ()
