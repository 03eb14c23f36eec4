"""Merge agents found by both a home scan and a repository scan of the same files.

A scanned folder may be a home, or contain one. Agents that its scan found in the home's
own files are further sightings of the agents of the home scan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.model.agent import Agent
from answerable.model.ids import AgentId
from answerable.model.sighting import SightedFacts, Sync

_HOME, _REPOSITORY = "home", "repo"


def merge_repository_agents_into_home_agents(syncs: Sequence[Sync]) -> tuple[Sync, ...]:
    """Give agents from repository scans the home agent's id, if equal."""
    homes = [sync for sync in syncs if sync.connector == _HOME]
    read = {p.place for sync in homes for p in sync.probes if p.found}
    if not read:
        return tuple(syncs)
    own = [agent for sync in homes for agent in sync.facts.agents]
    return tuple(
        replace(
            sync,
            facts=_replace_agent_ids(
                sync.facts, _map_agents_to_home_agents(sync.facts.agents, own, read)
            ),
        )
        if sync.connector == _REPOSITORY
        else sync
        for sync in syncs
    )


def _map_agents_to_home_agents(
    seen: Sequence[Agent], home_agents: Sequence[Agent], read_files: set[str]
) -> Mapping[AgentId, AgentId]:
    """Map agents of files that a home scan read to that home's agents."""
    found: dict[AgentId, AgentId] = {}
    for agent in seen:
        if agent.place not in read_files:
            continue
        same = [
            each
            for each in home_agents
            if each.kind == agent.kind
            and agent.place.startswith(f"{each.scope.removeprefix('home:')}/")
            and (each.parent is None) == (agent.parent is None)
            and (each.parent is None or each.name == agent.name)
        ]
        if same:
            found[agent.id] = max(same, key=lambda each: len(each.scope)).id
    return found


def _replace_agent_ids(
    facts: SightedFacts, ids: Mapping[AgentId, AgentId]
) -> SightedFacts:
    """Replace agent ids in facts, and drop the replaced agents."""
    if not ids:
        return facts
    return replace(
        facts,
        agents=tuple(
            replace(a, parent=ids.get(a.parent, a.parent) if a.parent else None)
            for a in facts.agents
            if a.id not in ids
        ),
        tools=tuple(replace(t, agent=ids.get(t.agent, t.agent)) for t in facts.tools),
        evidence=tuple(
            replace(e, subject=str(ids.get(AgentId(e.subject), e.subject)))
            for e in facts.evidence
        ),
    )
