"""Compile profiles to the `allow` lists of agents in the gateway configuration."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from answerable.baseline.policy_export.profile_clauses import list_inexpressible_clauses
from answerable.model.baseline import BaselineProfile, EntityEntry
from answerable.model.policy_export import (
    ClauseReason,
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)

DECLARED = "agent:declared/"


def compile_mcp_allowlist(
    profiles: Sequence[BaselineProfile], cloud_server: str
) -> ExportedPolicy:
    """List the tools of each agent and server; arguments are not in an allow list.

    Args:
        profiles: Profiles, each of one agent and one server.
        cloud_server: Server name of profiles of cloud events, which have no tools.
    """
    tools: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    omitted: set[OmittedClause] = set()
    for profile in profiles:
        subject = profile.subject
        omitted.update(list_inexpressible_clauses(profile))
        omitted.update(map(build_argument_clause, profile.entities))
        for entry in profile.capabilities:
            server, _, name = entry.tool.partition("/")
            if server == cloud_server or server != subject.server:
                text = "not a tool of an MCP server"
                omitted.add(
                    OmittedClause(ClauseReason.NO_ACTION, "L1", entry.tool, text)
                )
            else:
                tools[subject.agent.removeprefix(DECLARED)][server].add(name)
    target = ExportTarget.MCP_ALLOWLIST
    kept = tuple(sorted(omitted))
    if not tools:
        return ExportedPolicy(target, (), kept, ("no tool of an MCP server",))
    agents = {
        agent: {"allow": [_build_rule(name, servers[name]) for name in sorted(servers)]}
        for agent, servers in sorted(tools.items())
    }
    text = json.dumps({"agents": agents}, indent=2, ensure_ascii=False) + "\n"
    return ExportedPolicy(
        target, (PolicyDocument(target.value, text, len(text), 0),), kept
    )


def _build_rule(server: str, tools: Iterable[str]) -> dict[str, object]:
    """Build one `allow` rule."""
    return {"server": server, "tools": sorted(tools)}


def build_argument_clause(entry: EntityEntry) -> OmittedClause:
    """Build the clause of an argument value that the target cannot express."""
    pattern = entry.pattern
    text = f"{entry.path} {pattern.kind.value} {pattern.level.value} {pattern.text}"
    return OmittedClause(ClauseReason.NOT_EXPRESSIBLE, "L2", entry.tool, text)
