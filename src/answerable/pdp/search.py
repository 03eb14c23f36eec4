"""Answer AuthZEN searches for subjects, resources and actions (1.0, 8).

Each result is one that an evaluation without arguments would allow now. Names covered
only by a pattern are unknown here, and the answer then says that it is incomplete.
Searches are not recorded, because nothing is decided.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from answerable.authorization.decision_table import name_patterns_by_target
from answerable.authorization.name_patterns import is_prefix_pattern
from answerable.model.config import Config
from answerable.model.decision import TargetKind
from answerable.pdp.enforcement_points import EnforcementPoint
from answerable.pdp.evaluation import EvaluationService
from answerable.pdp.mcp_vocabulary import (
    SERVER_TYPE,
    TARGETS_BY_TYPE,
    McpCallQuery,
    format_resource_id,
    list_actions_of_type,
)
from answerable.pdp.page_tokens import Paginator, SearchResult
from answerable.pdp.subject_resolution import AGENT, IDENTITY
from answerable.pdp.wire.batch_request import parse_page_request
from answerable.pdp.wire.evaluation_request import (
    EvaluationAction,
    EvaluationRequest,
    EvaluationResource,
    EvaluationSubject,
    JsonMembers,
    parse_action,
    parse_context_agent,
    parse_resource,
    parse_subject,
)


class SearchService:
    """Service behind the search endpoints."""

    def __init__(
        self, evaluating: EvaluationService, paging: Paginator, config: Config
    ) -> None:
        self._evaluating, self._paging = evaluating, paging
        self.config = config

    async def search_subjects(
        self, body: JsonMembers, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Answer an AuthZEN Subject Search: which subjects may do this.

        Raises:
            Invalid: It is malformed.
        """
        subject = parse_subject(body, is_search=True)
        action, resource = parse_action(body), parse_resource(body)
        page, agent = parse_page_request(body, "subject"), parse_context_agent(body)
        found = [
            (f"{each.type}:{each.id}", entity)
            for each, entity in self._iterate_subjects_of_type(subject.type)
            if await self._is_allowed(
                EvaluationRequest(each, action, resource, agent), enforcement_point
            )
        ]
        return self._paging.paginate(sorted(found), page)

    async def search_resources(
        self, body: JsonMembers, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Answer an AuthZEN Resource Search: on which resources this is allowed.

        Raises:
            Invalid: It is malformed.
        """
        subject, action = parse_subject(body), parse_action(body)
        resource = parse_resource(body, is_search=True)
        page, agent = parse_page_request(body, "resource"), parse_context_agent(body)
        asked = EvaluationRequest(subject, action, resource, agent)
        found = {
            key: entity
            async for key, entity in self._iterate_allowed_resources(
                asked, enforcement_point
            )
        }
        complete = not self._has_rule_with_pattern(resource.type)
        answer = self._paging.paginate(sorted(found.items()), page)
        return {
            "page": answer["page"],
            "context": {"complete": complete},
            "results": answer["results"],
        }

    async def search_actions(
        self, body: JsonMembers, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Answer an AuthZEN Action Search: which actions are allowed.

        Raises:
            Invalid: It is malformed.
        """
        subject, resource = parse_subject(body), parse_resource(body)
        page, agent = parse_page_request(body, "action"), parse_context_agent(body)
        found: list[SearchResult] = [
            (name, {"name": name})
            for name in list_actions_of_type(resource.type)
            if await self._is_allowed(
                EvaluationRequest(subject, EvaluationAction(name), resource, agent),
                enforcement_point,
            )
        ]
        return self._paging.paginate(found, page)

    async def _is_allowed(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> bool:
        """Return whether an evaluation would be allowed, without recording it."""
        asked = self._evaluating.to_call_query(evaluation, enforcement_point)
        if asked is None:
            return False
        caller = await self._evaluating.subjects.resolve(evaluation, enforcement_point)
        return self._evaluating.would_allow(caller, asked)

    def _iterate_subjects_of_type(
        self, type: str
    ) -> Iterator[tuple[EvaluationSubject, dict[str, Any]]]:
        """Yield every known subject of a type, and its entity for the answer."""
        known = self._evaluating.subjects
        for agent in known.known_agents:
            if type == AGENT:
                yield EvaluationSubject(AGENT, agent), {"type": AGENT, "id": agent}
            elif type == IDENTITY:
                for rule in known.get_caller_rules(agent):
                    properties = {"issuer": rule.issuer}
                    entity = {
                        "type": IDENTITY,
                        "id": rule.sub,
                        "properties": properties,
                    }
                    yield EvaluationSubject(IDENTITY, rule.sub), entity

    async def _iterate_allowed_resources(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> AsyncIterator[SearchResult]:
        """Yield each configured resource that the subject may use."""
        type, within = evaluation.resource.type, evaluation.resource.server
        for server in [each.name for each in self.config.servers]:
            if within not in ("", server):
                continue
            for name in self._get_configured_names(server, type):
                resource = EvaluationResource(type, name, server)
                one = EvaluationRequest(
                    evaluation.subject, evaluation.action, resource, evaluation.agent
                )
                asked = self._evaluating.to_call_query(one, enforcement_point)
                if asked is not None and await self._is_allowed(one, enforcement_point):
                    yield (
                        format_resource_id(asked) + f" {server}",
                        _build_resource_entity(type, asked),
                    )

    def _get_configured_names(self, server: str, type: str) -> set[str]:
        """Return the names of one type that the configuration lists for a server."""
        if type == SERVER_TYPE:
            return {server}
        target = TARGETS_BY_TYPE.get(type)
        named = {
            name
            for each, name in self._iterate_configured_items(server)
            if each is target and not is_prefix_pattern(name)
        }
        return {name for name in named if not name.startswith(f"{type}:mcp/")}

    def _has_rule_with_pattern(self, type: str) -> bool:
        """Return whether rules name this resource type's items by prefix pattern."""
        target = TARGETS_BY_TYPE.get(type)
        return any(
            each is target and is_prefix_pattern(name)
            for server in self.config.servers
            for each, name in self._iterate_configured_items(server.name)
        )

    def _iterate_configured_items(
        self, server: str
    ) -> Iterator[tuple[TargetKind, str]]:
        """Yield type and name of each item that the configuration lists."""
        for agent in self.config.agents:
            for rule in agent.allow:
                if rule.server == server:
                    for target, names in name_patterns_by_target(rule):
                        yield from ((target, name) for name in names)
        for each in self.config.servers:
            if each.name == server:
                yield from ((TargetKind.TOOL, name) for name in each.reads)
                yield from ((TargetKind.RESOURCE, name) for name in each.sensitive)


def _build_resource_entity(type: str, query: McpCallQuery) -> dict[str, Any]:
    """Build the AuthZEN entity of a resource."""
    entity: dict[str, Any] = {"type": type, "id": format_resource_id(query)}
    if type == "resource":
        # The same URI may be at several servers.
        entity["properties"] = {"server": query.server}
    return entity
