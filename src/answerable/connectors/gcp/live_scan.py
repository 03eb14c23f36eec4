"""Scan a live organization, folder or project of Google Cloud with read-only calls.

Assets, allow policies and organization policies come from Cloud Asset Inventory. Deny
policies, principal access boundaries, policies of ancestors and members of groups have
APIs of their own. A call that is refused becomes a problem, and its kind is not
collected.

Source: https://docs.cloud.google.com/asset-inventory/docs/list-assets,
https://docs.cloud.google.com/iam/docs/reference/rest/v2/policies,
https://docs.cloud.google.com/iam/docs/reference/rest/v3/organizations.locations.principalAccessBoundaryPolicies,
https://docs.cloud.google.com/identity/docs/reference/rest/v1/groups
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from answerable.connectors.formats.google_api_responses import (
    GoogleAnswer,
    RawObject,
    get_text,
    list_objects,
)
from answerable.connectors.gcp.declaration import (
    AGENTS_CALL,
    ASSET_CONTENTS,
    ASSETS_CALL,
    BOUNDARIES_CALL,
    BOUNDARY_BINDINGS_CALL,
    DECLARATION,
    DENY_POLICIES_CALL,
    GROUP_CALL,
    POLICY_CALL,
)
from answerable.connectors.gcp.live_clients import (
    GoogleCallFailed,
    GoogleClients,
    open_clients,
)
from answerable.connectors.gcp.parse import (
    build_inventory_facts,
    read_object,
)
from answerable.connectors.gcp.parse import policy_readers as policies
from answerable.connectors.gcp.parse.estate_builder import EstateBuilder
from answerable.connectors.parsed_source import ParsedSource
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.google_cloud_ids import GROUP, expand_resource_name, get_container
from answerable.model.sighting import Probe, ReadProblemKind

PAGE_ITEMS = 1000
MEMBER_ITEMS = 200
MAX_ASSETS = 1_000_000  # of one content type
_CONTAINERS = ("projects", "folders", "organizations")
_GEMINI_APP = "discoveryengine.googleapis.com/Engine"
_AGENTS_API = "discoveryengine"
_GROUPS_API, _POLICY_API = "cloudidentity", "cloudresourcemanager"


@dataclass(slots=True)
class _GoogleLiveScan:
    """Scan of one scope.

    Attributes:
        scope: `organizations/N`, `folders/N` or `projects/ID`.
        collected: Kinds that were read whole.
    """

    clients: GoogleClients
    scope: str
    context: SyncContext
    builder: EstateBuilder = field(default_factory=EstateBuilder)
    collected: set[str] = field(default_factory=set)
    probes: list[Probe] = field(default_factory=list)

    def read(self) -> None:
        """Read all kinds."""
        for content, kinds in ASSET_CONTENTS.items():
            self._read_assets(content, kinds)
        with self._collecting_kind("iam-policies"):
            for container in self._list_ancestors():
                self._read_ancestor_policy(container)
        with self._collecting_kind("deny-policies"):
            self._read_deny_policies()
        with self._collecting_kind("access-boundaries"):
            self._read_boundaries()
        with self._collecting_kind("groups"):
            self._read_groups()
        self._read_gemini_agents()

    @contextmanager
    def _collecting_kind(self, kind: str) -> Iterator[None]:
        """Collect a kind; it is whole if no call failed."""
        before = self.builder.faults
        known = kind in self.collected or kind not in _OF_ASSETS
        yield
        if self.builder.faults > before or not known:
            self.collected.discard(kind)
        else:
            self.collected.add(kind)

    @contextmanager
    def _recording_failed_call(self, call: str, what: str) -> Iterator[None]:
        """Make a call; one that fails becomes a problem."""
        try:
            yield
        except GoogleCallFailed as failed:
            self.builder.add_problem(call, failed.what, failed.kind)
        else:
            self.probes.append(Probe(call, what, True))

    def _read_assets(self, content: str, kinds: tuple[str, ...]) -> None:
        """Read the assets of a content type; each page is parsed and dropped."""
        call = ASSETS_CALL.format(scope=self.scope, content=content)
        clients = self.clients
        request: RawObject = {
            "parent": self.scope,
            "content_type": content,
            "page_size": PAGE_ITEMS,
        }
        before = self.builder.faults
        with self._recording_failed_call(call, "assets"):
            found = clients.iterate(clients.assets.list_assets, request, "assets")
            for number, raw in enumerate(found):
                if number >= MAX_ASSETS:
                    limit = f"more than {MAX_ASSETS:,} assets; scan folders or projects"
                    raise GoogleCallFailed(ReadProblemKind.TOO_LARGE, limit)
                if number % PAGE_ITEMS == 0:
                    self.context.progress(number, 0, f"assets ({content})")
                read_object(self.builder, GoogleAnswer(raw, call))
        if self.builder.faults == before:
            self.collected.update(kinds)

    def _list_containers(self) -> list[str]:
        """List the projects, folders and organizations that are known, each once."""
        known = self.builder.resources
        numbers = {each.number for each in known.values() if each.number}
        own = expand_resource_name(self.scope)
        listed = (own, *(e for e in known if get_container(e)[0] in _CONTAINERS))
        return list(
            dict.fromkeys(
                each for each in listed if get_container(each)[1] not in numbers
            )
        )

    def _list_ancestors(self) -> list[str]:
        """List the ancestors of the scope, the nearest first."""
        found: dict[str, None] = {}
        at = expand_resource_name(self.scope)
        while at and at not in found:
            found[at] = None
            known = self.builder.resources.get(at)
            at = known.parent if known else ""
        return list(found)[1:]

    def _read_ancestor_policy(self, container: str) -> None:
        """Read the allow policy of a folder or organization above the scope."""
        kind, name = get_container(container)
        call = POLICY_CALL.format(container=f"{kind}/{name}")
        body: RawObject = {"options": {"requestedPolicyVersion": 3}}
        path = f"v3/{kind}/{quote(name, safe='')}:getIamPolicy"
        with self._recording_failed_call(call, "an allow policy"):
            found = self.clients.post_json(_POLICY_API, path, body)
            policies.read_allow_policy(self.builder, container, found)
            self.builder.recognised += 1

    def _read_deny_policies(self) -> None:
        """Read the deny policies of each project, folder and organization."""
        clients = self.clients
        containers = self._list_containers()
        for done, container in enumerate(containers):
            self.context.progress(done, len(containers), "deny policies")
            point = quote(container.removeprefix("//"), safe="")
            call = DENY_POLICIES_CALL.format(container=container)
            request: RawObject = {"parent": f"policies/{point}/denypolicies"}
            with self._recording_failed_call(call, "deny policies"):
                method = clients.deny_policies.list_policies
                for listed in clients.iterate(method, request, "policies"):
                    self._read_deny_policy(get_text(listed, "name"))

    def _read_deny_policy(self, name: str) -> None:
        """Read a deny policy with its rules, which a list does not have."""
        clients = self.clients
        policy = clients.call(clients.deny_policies.get_policy, {"name": name})
        raw = clients.to_object(policy)
        # A policy without rules denies nothing; its field is absent.
        policies.read_deny_policy(self.builder, {"rules": [], **raw})
        self.builder.recognised += 1

    def _read_boundaries(self) -> None:
        """Read the principal access boundaries of the organization, with bindings."""
        clients = self.clients
        for organization in self._list_containers():
            kind, name = get_container(organization)
            if kind != "organizations":
                continue
            parent = f"organizations/{name}/locations/global"
            call = BOUNDARIES_CALL.format(parent=parent)
            names: list[str] = []
            with self._recording_failed_call(call, "access boundaries"):
                method = clients.boundaries.list_principal_access_boundary_policies
                field_name = "principal_access_boundary_policies"
                for raw in clients.iterate(method, {"parent": parent}, field_name):
                    policies.read_boundary(self.builder, raw)
                    names.append(get_text(raw, "name"))
            for each in names:
                self._read_boundary_bindings(each)

    def _read_boundary_bindings(self, name: str) -> None:
        """Read the bindings of a principal access boundary."""
        clients = self.clients
        method = clients.boundaries.search_principal_access_boundary_policy_bindings
        with self._recording_failed_call(
            BOUNDARY_BINDINGS_CALL.format(name=name), "bindings"
        ):
            for raw in clients.iterate(method, {"name": name}, "policy_bindings"):
                policies.read_boundary_binding(self.builder, raw)

    def _read_groups(self) -> None:
        """Read the members of the groups that policies name, and of groups in them."""
        estate = self.builder.build("", self.context.now)
        bound = (m for p in estate.policies for b in p.bindings for m in b.members)
        denied = (
            m
            for policy in estate.deny_policies
            for rule in policy.rules or ()
            for m in (*rule.principals, *rule.exception_principals)
        )
        left = dict.fromkeys(e for e in (*bound, *denied) if e.startswith(GROUP))
        known: set[str] = set()
        while left:
            group, _ = left.popitem()
            known.add(group)
            self.context.progress(len(known), len(known) + len(left), "groups")
            members = self._read_group(group.removeprefix(GROUP))
            left |= dict.fromkeys(
                e for e in members if e.startswith(GROUP) and e not in known
            )

    def _read_group(self, email: str) -> list[str]:
        """Read the direct members of a group; empty if it cannot be read."""
        members: list[str] = []
        with self._recording_failed_call(
            GROUP_CALL.format(email=email), "members of a group"
        ):
            query = {"groupKey.id": email}
            found = self.clients.get_json(_GROUPS_API, "v1/groups:lookup", query)
            group = get_text(found, "name")
            if not group.startswith("groups/"):
                raise GoogleCallFailed(ReadProblemKind.INVALID, "the group has no name")
            raw: RawObject = {"group": email, "members": [*self._list_members(group)]}
            policies.read_group(self.builder, raw)
            self.builder.recognised += 1
            members += self.builder.groups[-1].members
        return members

    def _list_members(self, group: str) -> Iterator[RawObject]:
        """Yield the memberships of a group."""
        path = f"v1/groups/{quote(group.removeprefix('groups/'), safe='')}/memberships"
        query = {"pageSize": str(MEMBER_ITEMS), "view": "FULL"}
        return self._list_pages(_GROUPS_API, path, query, "memberships")

    def _list_pages(
        self, service: str, path: str, query: dict[str, str], field_name: str
    ) -> Iterator[RawObject]:
        """Yield the items of a list of an API without a client library."""
        seen: set[str] = set()
        while True:
            answer = self.clients.get_json(service, path, query)
            yield from list_objects(answer, field_name)
            token = get_text(answer, "nextPageToken")
            if not token:
                return
            if token in seen:
                raise GoogleCallFailed(
                    ReadProblemKind.INVALID, "the API returned the same page twice"
                )
            seen.add(token)
            query = {**query, "pageToken": token}

    def _read_gemini_agents(self) -> None:
        """Read the agents of each Gemini Enterprise app.

        Source: https://docs.cloud.google.com/gemini/enterprise/docs/reference/rest/v1alpha/projects.locations.collections.engines.assistants.agents/list
        """
        resources = self.builder.resources.values()
        for app in [each.name for each in resources if each.kind == _GEMINI_APP]:
            name = app.removeprefix("//discoveryengine.googleapis.com/")
            call = AGENTS_CALL.format(app=name)
            location = name.partition("/locations/")[2].partition("/")[0]
            region = "" if location == "global" else f"{location}-"
            path = f"v1alpha/{name}/assistants/default_assistant/agents"
            with self._recording_failed_call(call, "agents of an app"):
                listed = self._list_pages(f"{region}{_AGENTS_API}", path, {}, "agents")
                for raw in listed:
                    read_object(self.builder, GoogleAnswer(raw, call))


_OF_ASSETS = frozenset(kind for kinds in ASSET_CONTENTS.values() for kind in kinds)


def scan_scope(
    scope: str, context: SyncContext
) -> tuple[str, ParsedSource, tuple[Probe, ...]]:
    """Scan an organization, folder or project.

    Args:
        scope: Empty for the project of the credential.
        context: Context of the scan.

    Returns:
        The sync's source, the estate, and the calls that were made.

    Raises:
        UsageError: No scope is stated, and the credential has no project.
        EnvironmentFailure: No credential, a refused one, or no network.
    """
    clients = open_clients()
    if not scope and not clients.project:
        raise UsageError(
            "the credential of Google Cloud names no project",
            "name what to scan: answerable scan gcp:organizations/NUMBER",
        )
    scope = scope or f"projects/{clients.project}"
    scan = _GoogleLiveScan(clients, scope, context)
    scan.read()
    builder = scan.builder
    if not scan.collected & _OF_ASSETS:
        first = builder.problems[0]
        raise EnvironmentFailure(
            f"no asset could be listed: {first.place}: {first.what}",
            "print the roles of the scan: answerable where --policy gcp-roles gcp:",
        )
    builder.collected = scan.collected
    source = f"{DECLARATION.name}:{scope} (live)"
    place = ASSETS_CALL.format(scope=scope, content="RESOURCE")
    parsed = build_inventory_facts(builder, source, context.now, (scope, place))
    return source, parsed, tuple(scan.probes)
