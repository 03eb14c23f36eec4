"""AuthZEN searches for subjects, resources and actions (1.0, 8).

Each result is one that an evaluation without arguments would allow now. Names covered
only by a pattern are unknown here, and the answer then says that it is incomplete.
Searches are not recorded, because nothing is decided.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from answerable.authorization.decision_table import named_by
from answerable.authorization.name_patterns import is_prefix
from answerable.model.config import Config
from answerable.model.decision import Target
from answerable.pdp.enforcement_points import Enforcer
from answerable.pdp.evaluation import Evaluating
from answerable.pdp.mcp_vocabulary import SERVER, TYPES, Asked, actions_on, spelled
from answerable.pdp.page_tokens import Found, Paging
from answerable.pdp.subject_resolution import AGENT, IDENTITY
from answerable.pdp.wire.batch_request import page_of
from answerable.pdp.wire.evaluation_request import (
    Action,
    Evaluation,
    Members,
    Resource,
    Subject,
    read_action,
    read_agent,
    read_resource,
    read_subject,
)


class Searching:
    """Service behind the search endpoints."""

    def __init__(self, evaluating: Evaluating, paging: Paging, config: Config) -> None:
        self._evaluating, self._paging = evaluating, paging
        self.config = config

    async def subjects(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer a Subject Search.

        Raises:
            Invalid: It is malformed.
        """
        subject = read_subject(said, searched=True)
        action, resource = read_action(said), read_resource(said)
        page, agent = page_of(said, "subject"), read_agent(said)
        found = [
            (f"{each.type}:{each.id}", entity)
            for each, entity in self._subjects(subject.type)
            if await self._passes(Evaluation(each, action, resource, agent), asked_by)
        ]
        return self._paging.cut(sorted(found), page)

    async def resources(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer a Resource Search.

        Raises:
            Invalid: It is malformed.
        """
        subject, action = read_subject(said), read_action(said)
        resource = read_resource(said, searched=True)
        page, agent = page_of(said, "resource"), read_agent(said)
        asked = Evaluation(subject, action, resource, agent)
        found = {key: entity async for key, entity in self._resources(asked, asked_by)}
        complete = not self._has_patterns(resource.type)
        answer = self._paging.cut(sorted(found.items()), page)
        return {
            "page": answer["page"],
            "context": {"complete": complete},
            "results": answer["results"],
        }

    async def actions(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer an Action Search.

        Raises:
            Invalid: It is malformed.
        """
        subject, resource = read_subject(said), read_resource(said)
        page, agent = page_of(said, "action"), read_agent(said)
        found: list[Found] = [
            (name, {"name": name})
            for name in actions_on(resource.type)
            if await self._passes(
                Evaluation(subject, Action(name), resource, agent), asked_by
            )
        ]
        return self._paging.cut(found, page)

    async def _passes(self, evaluation: Evaluation, asked_by: Enforcer) -> bool:
        asked = self._evaluating.understood(evaluation, asked_by)
        if asked is None:
            return False
        caller = await self._evaluating.subjects.find(evaluation, asked_by)
        return self._evaluating.would_pass(caller, asked)

    def _subjects(self, type: str) -> Iterator[tuple[Subject, dict[str, Any]]]:
        known = self._evaluating.subjects
        for agent in known.known:
            if type == AGENT:
                yield Subject(AGENT, agent), {"type": AGENT, "id": agent}
            elif type == IDENTITY:
                for rule in known.rules_of(agent):
                    properties = {"issuer": rule.issuer}
                    entity = {
                        "type": IDENTITY,
                        "id": rule.sub,
                        "properties": properties,
                    }
                    yield Subject(IDENTITY, rule.sub), entity

    async def _resources(
        self, evaluation: Evaluation, asked_by: Enforcer
    ) -> AsyncIterator[Found]:
        type, within = evaluation.resource.type, evaluation.resource.server
        for server in [each.name for each in self.config.servers]:
            if within not in ("", server):
                continue
            for name in self._names(server, type):
                resource = Resource(type, name, server)
                one = Evaluation(
                    evaluation.subject, evaluation.action, resource, evaluation.agent
                )
                asked = self._evaluating.understood(one, asked_by)
                if asked is not None and await self._passes(one, asked_by):
                    yield spelled(asked) + f" {server}", _entity(type, asked)

    def _names(self, server: str, type: str) -> set[str]:
        """Return the names of one type that the file lists for a server."""
        if type == SERVER:
            return {server}
        target = TYPES.get(type)
        named = {
            name
            for each, name in self._spelled(server)
            if each is target and not is_prefix(name)
        }
        return {name for name in named if not name.startswith(f"{type}:mcp/")}

    def _has_patterns(self, type: str) -> bool:
        """Tell whether a rule for this type uses a pattern."""
        target = TYPES.get(type)
        return any(
            each is target and is_prefix(name)
            for server in self.config.servers
            for each, name in self._spelled(server.name)
        )

    def _spelled(self, server: str) -> Iterator[tuple[Target, str]]:
        for agent in self.config.agents:
            for rule in agent.allow:
                if rule.server == server:
                    for target, names in named_by(rule):
                        yield from ((target, name) for name in names)
        for each in self.config.servers:
            if each.name == server:
                yield from ((Target.TOOL, name) for name in each.reads)
                yield from ((Target.RESOURCE, name) for name in each.sensitive)


def _entity(type: str, asked: Asked) -> dict[str, Any]:
    entity: dict[str, Any] = {"type": type, "id": spelled(asked)}
    if type == "resource":
        # The same URI may be at several servers.
        entity["properties"] = {"server": asked.server}
    return entity
