"""Compile profiles of MCP tools to Cedar policies of the gateway (docs/policies.md).

Only sensitive arguments are compared: they are whole values. Other arguments are text
that contains entities, which a policy cannot search.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from answerable.baseline.policy_export.mcp_allowlist import build_argument_clause
from answerable.baseline.policy_export.profile_clauses import list_inexpressible_clauses
from answerable.model.baseline import BaselineProfile, EntityEntry, GeneralisationLevel
from answerable.model.behaviour import EntityKind
from answerable.model.policy_export import (
    ClauseReason,
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)

_ARGUMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[\])?")
_DIGEST = "sha256:"
# Kinds whose canonical spelling is the spelling of the argument.
_VERBATIM = frozenset(EntityKind) - {EntityKind.IBAN, EntityKind.EMAIL, EntityKind.HOST}


def compile_cedar_policy(
    profiles: Sequence[BaselineProfile], cloud_server: str
) -> ExportedPolicy:
    """Write one permit for each tool, with its sensitive arguments as conditions."""
    omitted: set[OmittedClause] = set()
    permits: list[str] = []
    for profile in profiles:
        omitted.update(list_inexpressible_clauses(profile))
        by_tool: dict[str, list[EntityEntry]] = defaultdict(list)
        for entry in profile.entities:
            by_tool[entry.tool].append(entry)
        for tool in sorted({each.tool for each in profile.capabilities}):
            server = tool.partition("/")[0]
            if server in (cloud_server, "") or server != profile.subject.server:
                text = "not a tool of an MCP server"
                omitted.add(OmittedClause(ClauseReason.NO_ACTION, "L1", tool, text))
                continue
            conditions, lost = _compile_arguments(by_tool[tool])
            omitted.update(lost)
            permits.append(_write_permit(profile.subject.agent, tool, conditions))
    target = ExportTarget.CEDAR
    kept = tuple(sorted(omitted))
    if not permits:
        return ExportedPolicy(target, (), kept, ("no tool of an MCP server",))
    text = "\n".join(permits)
    return ExportedPolicy(
        target, (PolicyDocument(target.value, text, len(text), 0),), kept
    )


def _compile_arguments(
    entries: Iterable[EntityEntry],
) -> tuple[list[str], list[OmittedClause]]:
    """Compile the entities of one tool to conditions; the rest is omitted."""
    values: dict[str, set[str]] = defaultdict(set)
    omitted: list[OmittedClause] = []
    for entry in entries:
        if entry.sensitive and _ARGUMENT.fullmatch(entry.path):
            kept = values[entry.path]
            if _is_verbatim(entry):
                kept.add(entry.pattern.text)
                continue
        omitted.append(build_argument_clause(entry))
    return list(_write_conditions(values)), omitted


def _is_verbatim(entry: EntityEntry) -> bool:
    """Return whether the learned text is exactly the value of the argument."""
    pattern = entry.pattern
    return (
        pattern.level is GeneralisationLevel.EXACT
        and pattern.kind in _VERBATIM
        and not pattern.text.startswith(_DIGEST)
    )


def _write_conditions(values: dict[str, set[str]]) -> Iterator[str]:
    """Yield one condition for each argument; an absent argument is allowed."""
    for path in sorted(values):
        name, is_list = path.removesuffix("[]"), path.endswith("[]")
        known = ", ".join(_quote_cedar_text(each) for each in sorted(values[path]))
        argument = f"context.arguments.{name}"
        test = f"contains({argument})" if not is_list else f"containsAll({argument})"
        allowed = f"[{known}].{test}" if known else "false"
        # The validator takes no `!has || ...` as a guard of the attribute.
        yield f"(if context.arguments has {name} then {allowed} else true)"


def _write_permit(agent: str, tool: str, conditions: Sequence[str]) -> str:
    """Write one permit."""
    lines = [
        f"@id({_quote_cedar_text(f'{agent} {tool}')})",
        "permit (",
        f"  principal == Agent::{_quote_cedar_text(agent)},",
        '  action == Action::"tools/call",',
        f"  resource == Tool::{_quote_cedar_text(f'tool:mcp/{tool}')}",
    ]
    if conditions:
        joined = "\n  && ".join(conditions)
        return "\n".join([*lines, ") when {", f"  {joined}", "};", ""])
    return "\n".join([*lines, ");", ""])


def _quote_cedar_text(text: str) -> str:
    r"""Quote a text as Cedar reads it: `\u{...}` instead of `\uXXXX`."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"\\u([0-9a-fA-F]{4})", r"\\u{\1}", quoted)
