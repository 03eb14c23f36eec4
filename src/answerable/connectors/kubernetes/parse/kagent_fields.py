"""Types of the fields that are read from kagent's objects; all others are dropped.

Prompts, descriptions and literal header values are among the fields that are dropped.

Sources: https://github.com/kagent-dev/kagent/tree/main/go/api,
https://github.com/kagent-dev/kmcp/blob/main/api/v1alpha1/mcpserver_types.go
"""

from answerable.connectors.kubernetes.parse.object_fields import (
    NamedReference,
    ObjectFields,
    Texts,
)


class HeaderSource(ObjectFields, frozen=True):
    """Source of a header's value."""

    type: str = ""
    name: str = ""


class HeaderReference(ObjectFields, frozen=True):
    """Header, without a literal value."""

    name: str = ""
    value_from: HeaderSource | None = None


class ToolReference(ObjectFields, frozen=True):
    """Reference to an MCP server or an agent; v1alpha1 has `toolServer` and `ref`."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    tool_server: str = ""
    ref: str = ""
    tool_names: Texts = None
    require_approval: Texts = None


class AgentTool(ObjectFields, frozen=True):
    """Tool of an agent."""

    type: str = ""
    mcp_server: ToolReference | None = None
    agent: ToolReference | None = None
    headers_from: list[HeaderReference] | None = None


class AgentDeployment(ObjectFields, frozen=True):
    """Deployment of an agent."""

    service_account_name: str | None = None


class DeclarativeAgent(ObjectFields, frozen=True):
    """Agent that kagent's own runtime runs."""

    model_config: str = ""
    tools: list[AgentTool] | None = None
    deployment: AgentDeployment | None = None


class OwnAgent(ObjectFields, frozen=True):
    """Agent with an image of its own."""

    deployment: AgentDeployment | None = None


class AgentSpec(ObjectFields, frozen=True):
    """Specification of an agent; v1alpha1 has model and tools at its top."""

    type: str = "Declarative"
    declarative: DeclarativeAgent | None = None
    byo: OwnAgent | None = None
    model_config: str = ""
    tools: list[AgentTool] | None = None


class AgentFields(ObjectFields, frozen=True):
    """Agent."""

    spec: AgentSpec = AgentSpec()


class ModelSpec(ObjectFields, frozen=True):
    """Specification of a model configuration."""

    provider: str = ""
    model: str = ""
    api_key_secret: str = ""
    api_key_secret_ref: str = ""


class ModelFields(ObjectFields, frozen=True):
    """ModelConfig."""

    spec: ModelSpec = ModelSpec()


class RemoteServerSpec(ObjectFields, frozen=True):
    """Specification of a remote MCP server."""

    url: str = ""
    protocol: str = ""
    headers_from: list[HeaderReference] | None = None


class RemoteServerFields(ObjectFields, frozen=True):
    """RemoteMCPServer."""

    spec: RemoteServerSpec = RemoteServerSpec()


class ServerDeployment(ObjectFields, frozen=True):
    """Deployment of an MCP server."""

    secret_refs: list[NamedReference] | None = None


class ServerSpec(ObjectFields, frozen=True):
    """Specification of an MCP server."""

    deployment: ServerDeployment | None = None


class ServerFields(ObjectFields, frozen=True):
    """MCPServer."""

    spec: ServerSpec = ServerSpec()
