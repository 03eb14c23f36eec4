"""Build agents and their tools: kagent's Agents, and workloads with an agent's image.

An agent runs as its service account. A tool acts with the Secrets of its headers, and
with the service accounts of the workloads behind its MCP server.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from answerable.connectors.formats.redaction import (
    make_printable_line,
    redact_name,
    redact_url,
)
from answerable.connectors.kubernetes.parse.agent_images import find_agent_image
from answerable.connectors.kubernetes.parse.cluster_builder import (
    ObjectSource,
    describe_validation_error,
)
from answerable.connectors.kubernetes.parse.cluster_facts import ClusterFacts
from answerable.connectors.kubernetes.parse.kagent_fields import (
    AgentDeployment,
    AgentFields,
    AgentTool,
    HeaderReference,
    ModelFields,
    RemoteServerFields,
    RemoteServerSpec,
    ServerFields,
    ToolReference,
)
from answerable.model.agent import Agent, FactStatus
from answerable.model.ids import (
    AgentId,
    CredentialId,
    build_agent_id,
    build_mcp_tool_id,
)
from answerable.model.provenance import FactProvenance
from answerable.model.tool import Tool
from answerable.reach.kubernetes.catalogue import Workload

DecodedT = TypeVar("DecodedT")
_KAGENT = "kagent"
_DEFAULT_MODEL = "default-model-config"
_MOST_NAMES = 20


@dataclass(slots=True)
class AgentReader:
    """Reader of the agents of one cluster.

    Attributes:
        parents: Agent that calls another as a tool, by the called one.
    """

    facts: ClusterFacts
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    tools: list[Tool] = field(default_factory=list)
    parents: dict[AgentId, AgentId] = field(default_factory=dict)
    remote_servers: dict[tuple[str, str], RemoteServerSpec] = field(
        default_factory=dict
    )
    models: dict[tuple[str, str], str] = field(default_factory=dict)

    def read_agents(self) -> None:
        """Read the agents of every kind."""
        objects = self.facts.builder.agent_objects
        for source in objects.model_configs:
            self._read_model(source)
        for source in objects.remote_servers:
            fields = self._decode_object(source, RemoteServerFields)
            if fields is not None:
                self.remote_servers[source.namespace, source.name] = fields.spec
        for source in objects.servers:
            self._read_server(source)
        for source in objects.agents:
            self._read_agent(source)
        for workload in self.facts.cluster.workloads:
            self._read_workload(workload)
        for called, caller in self.parents.items():
            if called in self.agents and called != caller:
                self.agents[called] = replace(self.agents[called], parent=caller)

    def _decode_object(
        self, source: ObjectSource, kind: type[DecodedT]
    ) -> DecodedT | None:
        """Decode an object; None and a problem if it is invalid."""
        try:
            return source.decode(kind)
        except msgspec.ValidationError as error:
            what = describe_validation_error(error)
            named = f"{source.kind.kind} {source.namespace}/{source.name}"
            self.facts.builder.add_problem(source.place, f"{named}: {what}")
            return None

    def _read_model(self, source: ObjectSource) -> None:
        """Read a model configuration, with the Secret of its key."""
        fields = self._decode_object(source, ModelFields)
        if fields is None:
            return
        model = "/".join(filter(None, (fields.spec.provider, fields.spec.model)))
        self.models[source.namespace, source.name] = make_printable_line(model)
        secret = fields.spec.api_key_secret or fields.spec.api_key_secret_ref
        if secret:
            space, name = _split_reference(secret, source.namespace)
            self.facts.add_referenced_secret(space, name, source.place)

    def _read_server(self, source: ObjectSource) -> None:
        """Read an MCP server that the cluster runs: the Secrets of its environment."""
        fields = self._decode_object(source, ServerFields)
        deployment = fields.spec.deployment if fields else None
        for secret in (deployment.secret_refs if deployment else None) or ():
            if secret.name:
                self.facts.add_referenced_secret(
                    source.namespace, secret.name, source.place
                )

    def _read_agent(self, source: ObjectSource) -> None:
        """Read a kagent Agent with its tools."""
        fields = self._decode_object(source, AgentFields)
        if fields is None:
            return
        spec = fields.spec
        declared = spec.declarative
        deployment = declared.deployment if declared else None
        if spec.byo is not None:
            deployment = spec.byo.deployment
        stated = (declared.tools if declared else spec.tools) or ()
        model = (declared.model_config if declared else spec.model_config) or (
            "" if spec.byo else _DEFAULT_MODEL
        )
        space, name = _split_reference(model, source.namespace)
        seen = self.facts.get_provenance(source.place, admitted=source.admitted)
        key = self._build_agent_id(_KAGENT, source.namespace, source.name)
        servers = [
            self._add_tool(key, each, source, seen)
            for each in stated
            if each.mcp_server
        ]
        self._add_agent(
            key,
            source,
            _KAGENT,
            (deployment or AgentDeployment()).service_account_name or source.name,
            tuple(
                (k, v)
                for k, v in (
                    ("model", self.models.get((space, name), redact_name(model))),
                    ("tools", make_printable_line(", ".join(servers) or "none")),
                )
                if v and v != "?"
            ),
        )
        for each in stated:
            if each.agent:
                called = self._build_reference_id(each.agent, source.namespace)
                self.parents.setdefault(called, key)

    def _build_agent_id(self, kind: str, namespace: str, name: str) -> AgentId:
        """Build the id of an agent."""
        return build_agent_id(kind, self.facts.cluster.name, namespace, name)

    def _build_reference_id(self, reference: ToolReference, namespace: str) -> AgentId:
        """Build the id of the agent that a tool refers to."""
        space, name = _resolve_reference(reference, namespace)
        return self._build_agent_id(_KAGENT, space, name)

    def _add_agent(
        self,
        key: AgentId,
        source: ObjectSource,
        kind: str,
        account: str,
        facts: tuple[tuple[str, str], ...],
    ) -> None:
        """Add an agent that runs as a service account, with its owners."""
        seen = self.facts.get_provenance(source.place, admitted=source.admitted)
        identity = self.facts.add_service_account(source.namespace, account, seen)
        self.agents[key] = Agent(
            id=key,
            kind=kind,
            name=source.name,
            place=source.place,
            scope="",
            parent=None,
            unattended=True,
            known=FactStatus.DECLARED,
            runs_as=(identity,),
            note="",
            facts=facts,
            seen=seen,
        )
        self.facts.add_owners((key,), source, seen)

    def _add_tool(
        self,
        agent: AgentId,
        tool: AgentTool,
        source: ObjectSource,
        seen: FactProvenance,
    ) -> str:
        """Add an MCP server that an agent uses; return its name."""
        reference = tool.mcp_server or ToolReference()
        space, name = _resolve_reference(reference, source.namespace)
        shown = name if space == source.namespace else f"{space}/{name}"
        remote = self.remote_servers.get((space, name))
        credentials = [
            *self._list_header_secrets(tool.headers_from, source.namespace, source),
            *self._list_header_secrets(
                remote.headers_from if remote else None, space, source
            ),
            *self._list_server_tokens(space, name, remote),
        ]
        names = tuple(reference.tool_names or ())
        asked = set(reference.require_approval or ())
        self.tools.append(
            Tool(
                id=build_mcp_tool_id(redact_name(shown)),
                agent=agent,
                server=redact_name(shown),
                transport="sse" if remote and remote.protocol == "SSE" else "http",
                target=redact_url(remote.url)
                if remote
                else f"{reference.kind or 'MCPServer'} {redact_name(f'{space}/{name}')}",
                enabled=True,
                unattended=not names or not asked.issuperset(names),
                credentials=tuple(dict.fromkeys(credentials)),
                seen=seen,
                rule=_build_rule(names),
            )
        )
        return redact_name(shown)

    def _list_header_secrets(
        self,
        headers: list[HeaderReference] | None,
        namespace: str,
        source: ObjectSource,
    ) -> Iterator[CredentialId]:
        """Yield the Secrets that headers come from."""
        for header in headers or ():
            value = header.value_from
            if value is not None and value.type == "Secret" and value.name:
                yield self.facts.add_referenced_secret(
                    namespace, value.name, source.place
                )

    def _list_server_tokens(
        self, namespace: str, name: str, remote: RemoteServerSpec | None
    ) -> Iterator[CredentialId]:
        """Yield the mounted tokens of the workloads behind an MCP server.

        The workload and the Service of an MCPServer have its name; a remote server is
        in the cluster if its host is a Service.
        """
        if remote is not None:
            namespace, name = _find_service(remote.url, namespace)
        selector = self.facts.builder.agent_objects.services.get((namespace, name))
        labels = self.facts.builder.agent_objects.pod_labels
        for workload in self.facts.cluster.workloads:
            if workload.namespace != namespace:
                continue
            own = labels.get((workload.kind, namespace, workload.name), ())
            selected = bool(selector) and set(selector or ()) <= set(own)
            if selected or (selector is None and workload.name == name):
                token = self.facts.add_workload_credentials(workload)
                if token is not None:
                    yield token

    def _read_workload(self, workload: Workload) -> None:
        """Add a workload as an agent if one of its images is known to be one."""
        if workload.controller:
            return
        images = (find_agent_image(each.image) for each in workload.containers)
        found = next(filter(None, images), None)
        if found is None:
            return
        key = self._build_agent_id(found.agent, workload.namespace, workload.name)
        if key in self.agents:
            return
        source = self.facts.builder.sources[
            workload.kind, workload.namespace, workload.name
        ]
        facts = (("image", found.repository), ("workload", workload.kind))
        self._add_agent(key, source, found.agent, workload.service_account, facts)


def _split_reference(text: str, namespace: str) -> tuple[str, str]:
    """Split `NAMESPACE/NAME` or `NAME`."""
    space, mark, name = text.partition("/")
    return (space, name) if mark else (namespace, text)


def _resolve_reference(reference: ToolReference, namespace: str) -> tuple[str, str]:
    """Return the namespace and the name that a reference means."""
    text = reference.name or reference.tool_server or reference.ref
    return _split_reference(text or "-", reference.namespace or namespace)


def _find_service(url: str, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the Service that a URL's host names.

    Hosts are `NAME`, `NAME.NAMESPACE` and `NAME.NAMESPACE.svc[.DOMAIN]`:
    https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return "", ""
    parts = host.split(".")
    if len(parts) > 2 and parts[2] != "svc":
        return "", ""
    return (parts[1] if len(parts) > 1 else namespace), parts[0]


def _build_rule(names: tuple[str, ...]) -> str:
    """Return the rule that narrows a server to some tools; empty for none."""
    if not names:
        return ""
    more = len(names) - _MOST_NAMES
    text = ", ".join(redact_name(each) for each in names[:_MOST_NAMES])
    return f"toolNames: {text}{f' and {more} more' if more > 0 else ''}"
