"""Types of the operator's configuration file `answerable.yaml`, parsed once.

Paths are absolute: relative ones are resolved against the folder of the file. It
contains no secrets; a server's command takes one from the environment by name.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from answerable.model.approval_request import ApprovalRequestConfig
from answerable.model.behaviour import ReferenceTable, ToolFacts
from answerable.model.collection import CollectorConfig, ConfiguredSource
from answerable.model.decision import EnforcementMode, TargetKind
from answerable.model.decision_point_config import DecisionPointConfig
from answerable.model.definition_pin import PinningMode
from answerable.model.ids import AgentId
from answerable.model.learning_config import LearningConfig
from answerable.model.token_claims import TrustedIssuer
from answerable.model.trust_rule import TrustRule
from answerable.model.upstream_credential import UpstreamCredential
from answerable.model.web_config import WebConfig
from answerable.model.worker_limits import WorkerLimits


class ClientFeature(StrEnum):
    """Client feature (MCP) that a server may ask of its client."""

    ELICITATION = "elicitation"
    SAMPLING = "sampling"
    ROOTS = "roots"

    @property
    def target(self) -> TargetKind:
        """Return the kind of target that this client feature asks for."""
        return _TARGET_OF_FEATURE[self]


_TARGET_OF_FEATURE = {
    ClientFeature.ELICITATION: TargetKind.PERSON,
    ClientFeature.SAMPLING: TargetKind.MODEL,
    ClientFeature.ROOTS: TargetKind.ROOTS,
}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Listen address.

    Attributes:
        host: IP address or name, without brackets.
        port: 0 for any free port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """TLS files of a listener, PEM.

    Attributes:
        certificate: Chain, the server's own first.
        key: Its private key.
        client_ca: CA of client certificates; empty where none are requested.
    """

    certificate: str
    key: str
    client_ca: str


@dataclass(frozen=True, slots=True)
class Listener:
    """Listener for agents: a TCP address or a unix socket.

    Attributes:
        address: None for a socket.
        unix: Path of the socket, empty for an address.
        hosts: Accepted Host values, lower case.
        origins: Accepted Origin values, lower case.
        url: Public scheme and authority, e.g. `https://gw.example`, as used in DPoP
            proofs and resource metadata. Empty for a socket.
        tls: None for plain text.
    """

    address: ListenAddress | None
    unix: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    url: str
    tls: TlsFiles | None


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Section `listen`: all listeners of `serve`.

    Attributes:
        api: Health, readiness and metrics.
        gateway: In file order.
        workers: Processes that share the gateway's listeners.
        insecure: Addresses outside loopback may speak plain text.
        proxies: Networks of front proxies, whose connections many callers share.
        remote_health: Health, readiness and metrics may be served in plain text
            outside loopback.
    """

    api: ListenAddress
    gateway: tuple[Listener, ...]
    workers: int
    insecure: bool = False
    proxies: tuple[str, ...] = ()
    remote_health: bool = False

    @property
    def is_health_plain_text(self) -> bool:
        """Status pages may be served in plain text outside loopback."""
        return self.insecure or self.remote_health


@dataclass(frozen=True, slots=True)
class IssuerConfig:
    """Configured issuer whose tokens the gateway accepts.

    Attributes:
        pin: Verification parameters; its `name` is the key in the file.
        audience: Required `aud` of its tokens.
        keys: Its JWK Set: an absolute path, `unix:` and the path of our own token
            service's socket, or an https URL; `discovery` to read its metadata
            (RFC 8414 3).
        bearer: Also accept tokens that are not bound to a key.
        person: Claim that names a person in its tokens, e.g. `email`; empty for none.
        private: Allow its keys at a private or loopback address.
        ca: CA file for its certificate; empty for the system's.
        review: Kubernetes TokenReview, None for verification by keys alone.
    """

    pin: TrustedIssuer
    audience: str
    keys: str
    bearer: bool
    person: str = ""
    private: bool = False
    ca: str = ""
    review: "TokenReviewConfig | None" = None


@dataclass(frozen=True, slots=True)
class TokenReviewConfig:
    """TokenReview endpoint of a Kubernetes API server.

    Attributes:
        url: https URL of the API server.
        ca: CA file for its certificate.
        token: File with our own API token, absolute path.
    """

    url: str
    ca: str
    token: str


@dataclass(frozen=True, slots=True)
class TlsTerminator:
    """TLS terminator in front of the token service that forwards client certificates.

    Attributes:
        field: Header field with the certificate (RFC 9440 2.2), lower case, e.g.
            `client-cert`.
        uid: User id of the terminator at our unix socket.
    """

    field: str
    uid: int


@dataclass(frozen=True, slots=True)
class TokenServiceConfig:
    """Section `sts`: the token service.

    Attributes:
        url: Its `iss` and public address.
        listen: In file order; a unix listener attests its callers.
        state: Its own folder for keys, issued tokens and the spool. Empty for `sts` in
            the store.
        database: Name of the environment variable that holds a PostgreSQL address,
            empty for SQLite in `state`.
        terminator: TLS terminator in front, None for none.
        admins: User ids that may revoke and query anything at the unix socket.
        gateways: User ids of other gateways, which get tokens at the unix socket for
            their upstream servers and the callers they forward.
        passphrase: File with the passphrase of its signing keys; empty for a file next
            to them or the environment.
        passphrase_env: Environment variable with the passphrase, empty for none.
        events: https URLs of receivers of session-revoked events (CAEP).
        events_ca: CA file for their certificates; empty for the system's.
        health: Separate address for health, readiness and metrics; None for the other
            listeners alone.
    """

    url: str
    listen: tuple[Listener, ...]
    state: str
    database: str = ""
    terminator: TlsTerminator | None = None
    admins: tuple[int, ...] = ()
    gateways: tuple[int, ...] = ()
    passphrase: str = ""
    passphrase_env: str = ""
    events: tuple[str, ...] = ()
    events_ca: str = ""
    health: ListenAddress | None = None


@dataclass(frozen=True, slots=True)
class UpstreamServer:
    """Upstream MCP server, by URL or by command.

    Attributes:
        name: As in `/mcp/NAME`.
        url: Streamable HTTP endpoint, empty for a command.
        command: argv of a stdio server, empty for a URL.
        env: Pairs (name, value) of the command's environment.
        inherit_env: Names the command takes from the gateway's own environment.
        ca: CA of its certificate; empty for the system's.
        certificate: Client certificate presented to it, empty for none.
        key: Private key of the client certificate.
        reads: Patterns of read-only tools, as the operator declares them.
        sensitive: Patterns of resources whose reads are recorded durably beforehand.
        hook: Client whose built-in tools it represents, for `answerable hook`; empty
            for a real server.
        audience: Audience of the token that the gateway gets from our token service for
            the caller and presents; empty for none.
        credential: Operator-held credential presented to it, None for none.
        tools: Facts about its tools, by tool.
        secrets: Pairs (name, file or `keyring:ENTRY`) that `{answerable:NAME}` in the command after
            `gateway stdio --` and in its environment stands for.
    """

    name: str
    url: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = field(repr=False)
    inherit_env: tuple[str, ...]
    ca: str
    certificate: str
    key: str
    reads: tuple[str, ...]
    sensitive: tuple[str, ...]
    audience: str = ""
    credential: UpstreamCredential | None = None
    pin: PinningMode = PinningMode.FIRST_USE
    tools: tuple[tuple[str, ToolFacts], ...] = ()
    hook: str = ""
    secrets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenCallerRule:
    """Caller rule: a token of this issuer with this subject."""

    issuer: str
    sub: str


@dataclass(frozen=True, slots=True)
class UnixCallerRule:
    """Caller rule: the peer process of a unix socket.

    Attributes:
        uid: Its user.
        gid: Required group, None for any.
        unit: Required systemd unit, empty for any.
    """

    uid: int
    gid: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class StdioCallerRule:
    """Caller rule: the parent process of `gateway stdio` for this server."""

    server: str


CallerRule = TokenCallerRule | UnixCallerRule | StdioCallerRule


@dataclass(frozen=True, slots=True)
class AllowRule:
    """Allow rule of an agent for one server. Names are patterns.

    Attributes:
        id: Rule id by place in the file, e.g. `agents.invoices.allow[2]`.
        server: Server name.
        tools: Tool names.
        resources: URIs.
        prompts: Prompt names.
        inputs: Client features that the server may use.
    """

    id: str
    server: str
    tools: tuple[str, ...]
    resources: tuple[str, ...]
    prompts: tuple[str, ...]
    inputs: tuple[ClientFeature, ...]


@dataclass(frozen=True, slots=True)
class DeclaredAgent:
    """Agent declared in the file.

    Attributes:
        id: `agent:declared/NAME`.
        name: The key in the file.
        owner: Mail address or handle, empty where not said.
        mode: Enforcement mode of its calls.
        callers: Rules that authenticate it.
        allow: Allow rules, in file order.
        baseline: Monitoring of its behaviour; None for none.
    """

    id: AgentId
    name: str
    owner: str
    mode: EnforcementMode
    callers: tuple[CallerRule, ...]
    allow: tuple[AllowRule, ...]
    baseline: LearningConfig | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Parsed configuration file.

    Attributes:
        place: The file.
        digest: SHA-256 of its bytes, hex; decisions use it as the policy's id.
        store: Folder of the evidence; empty for the usual store.
        state: Folder for the gateway's own files; empty for `gateway` in the store.
        listen: Listeners.
        issuers: In file order.
        servers: In file order.
        default_mode: Mode for callers that are not an agent of this file.
        agents: In file order.
        limits: Bounds.
        otlp: Collector of spans and metrics (OTLP over HTTP), empty for none.
        sts: The token service, None where the file has none.
        rules: Trust rules, in file order.
        decisions: Decision point for external enforcement points, None for none.
        policy: Files or globs of Cedar policies, absolute.
        tables: Reference tables, in file order.
        asks: Approval-request notifications, None where unset.
        web: The web page, None where the file has none.
        sources: Sources of `scan --config` and of the collector, in file order.
        collector: The collector.
        ends_enforcement: Agents, and `default_mode`, that are confirmed to be enforced
            no longer.
    """

    place: str
    digest: str
    store: str
    state: str
    listen: ListenConfig
    issuers: tuple[IssuerConfig, ...]
    servers: tuple[UpstreamServer, ...]
    default_mode: EnforcementMode
    agents: tuple[DeclaredAgent, ...]
    limits: WorkerLimits
    otlp: str
    sts: TokenServiceConfig | None = None
    rules: tuple[TrustRule, ...] = ()
    decisions: DecisionPointConfig | None = None
    policy: tuple[str, ...] = ()
    tables: tuple[ReferenceTable, ...] = ()
    asks: ApprovalRequestConfig | None = None
    web: WebConfig | None = None
    sources: tuple[ConfiguredSource, ...] = ()
    collector: CollectorConfig = field(default_factory=CollectorConfig)
    ends_enforcement: tuple[str, ...] = ()

    @property
    def has_scheduled_source(self) -> bool:
        """Return whether a source has a schedule."""
        return any(source.schedule for source in self.sources)

    @property
    def needs_collector(self) -> bool:
        """Return whether the collector has work: a schedule, senders or tasks."""
        return self.has_scheduled_source or self.collector.has_work
