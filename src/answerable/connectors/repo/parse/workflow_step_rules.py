"""Convert a workflow step's tool rules to the form of its client's settings.

Sources: https://github.com/anthropics/claude-code-action/blob/main/docs/usage.md,
https://github.com/openai/codex-action and
https://github.com/google-github-actions/run-gemini-cli.
"""

import shlex
from collections.abc import Sequence

from answerable.connectors.formats.agent_definition import split_tool_list
from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.model.errors import ParseError

_WORDS_LIMIT = 2_000
_TEXT_LIMIT = 100_000
# Without a person to ask, Claude Code runs what is allowed and what never asks.
_AUTO_APPROVED_TOOLS = ("Read", "Edit", "Write")
_BYPASS_FLAGS = ("--dangerously-skip-permissions", "bypassPermissions")
_ALLOW_FLAGS = ("--allowedTools", "--allowed-tools")
_DENY_FLAGS = ("--disallowedTools", "--disallowed-tools")
_FULL_ACCESS_FLAGS = ("--dangerously-bypass-approvals-and-sandbox", "--yolo")


def read_step_settings(client: str, step: DocumentNode) -> tuple[DocumentNode, ...]:
    """Read the tool rules of a step as settings of its client.

    Args:
        client: Agent kind.
        step: Node of the step.

    Returns:
        Settings, highest precedence first.
    """
    inputs = step.get("with") or DocumentNode("", None)
    words = _split_words(inputs.text_at("claude_args", "codex-args", "codex_args"))
    words += _split_words(step.text_at("run"))
    stated = _parse_json_settings(inputs.text_at("settings"))
    if client == "claude-code":
        return (*stated, *_build_claude_settings(inputs, words))
    if client == "codex":
        return (
            _build_codex_settings(
                inputs, words, is_action=step.get("uses") is not None
            ),
        )
    return stated


def _build_claude_settings(
    inputs: DocumentNode, words: Sequence[str]
) -> tuple[DocumentNode, ...]:
    """Return Claude Code's allowed and denied tools as settings."""
    if any(word in _BYPASS_FLAGS for word in words):
        return ()
    allowed = [
        *_AUTO_APPROVED_TOOLS,
        *inputs.texts("allowed_tools"),
        *_collect_flag_values(words, _ALLOW_FLAGS),
    ]
    refused = [
        *inputs.texts("disallowed_tools"),
        *_collect_flag_values(words, _DENY_FLAGS),
    ]
    raw: dict[str, RawValue] = {"--allowedTools": list(allowed)}
    raw["permissions"] = {"deny": list(refused)}
    return (DocumentNode("", raw),)


def _build_codex_settings(
    inputs: DocumentNode, words: Sequence[str], *, is_action: bool
) -> DocumentNode:
    """Return Codex's sandbox mode as settings."""
    given = inputs.text_at("sandbox")
    for flag in ("--sandbox", "-s"):
        if flag in words[:-1]:
            given = words[words.index(flag) + 1]
    if any(word in _FULL_ACCESS_FLAGS for word in words):
        given = "danger-full-access"
    default = "workspace-write" if is_action else "read-only"
    return DocumentNode("", {"sandbox_mode": given or default})


def _collect_flag_values(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Collect the words after a flag, up to the next flag."""
    found: list[str] = []
    taking = False
    for word in words:
        flag, equals, value = word.partition("=")
        if word.startswith("-"):
            taking = flag in flags
            found += split_tool_list(value) if taking and equals else ()
        elif taking:
            found += split_tool_list(word)
    return found


def _split_words(text: str) -> list[str]:
    """Split a shell text into words, also with an unclosed quote."""
    cut = text[:_TEXT_LIMIT].replace("\\\n", " ")
    try:
        return shlex.split(cut, comments=True)[:_WORDS_LIMIT]
    except ValueError:  # a quote that never ends
        return cut.split()[:_WORDS_LIMIT]


def _parse_json_settings(text: str) -> tuple[DocumentNode, ...]:
    """Parse settings written as JSON in the step, empty if none."""
    if not text.lstrip().startswith("{"):
        return ()
    try:
        return (DocumentNode("", parse_jsonc(text)),)
    except ParseError:
        return ()
