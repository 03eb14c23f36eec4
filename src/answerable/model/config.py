"""The configuration: what an operator wrote in `answerable.yaml`, parsed once.

Paths are absolute: a relative one was taken from the folder of the file. A secret has
no place here; a server's command takes one from the environment by name.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from answerable.model.ask import Asks
from answerable.model.behaviour import Table, ToolFacts
from answerable.model.claims import Issuer
from answerable.model.decision import Mode, Target
from answerable.model.decision_point import DecisionPoint
from answerable.model.ids import AgentId
from answerable.model.learning import Learning
from answerable.model.limits import Limits
from answerable.model.pin import Pinning
from answerable.model.rule import TrustRule
from answerable.model.upstream_credential import UpstreamCredential
from answerable.model.web import Web


class Input(StrEnum):
    """What a server may ask of the client that called it."""

    ELICITATION = "elicitation"
    SAMPLING = "sampling"
    ROOTS = "roots"

    @property
    def target(self) -> Target:
        """What such an input acts on."""
        return _ACTS_ON[self]


_ACTS_ON = {
    Input.ELICITATION: Target.PERSON,
    Input.SAMPLING: Target.MODEL,
    Input.ROOTS: Target.ROOTS,
}


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen at.

    Attributes:
        host: IP address or name, without brackets.
        port: 0 for any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a TLS listener, PEM.

    Attributes:
        certificate: Chain, the server's own first.
        key: Its private key.
        client_ca: Who signs client certificates; empty where none are wanted.
    """

    certificate: str
    key: str
    client_ca: str


@dataclass(frozen=True, slots=True)
class Listener:
    """Where agents reach the gateway: an address, or a socket in the file system.

    Attributes:
        address: None for a socket.
        unix: Path of the socket, empty for an address.
        hosts: Values of Host that are served, lower case.
        origins: Values of Origin that may call, lower case.
        url: Scheme and authority that clients know it by, e.g. `https://gw.example`;
            DPoP proofs and resource metadata name it. Empty for a socket.
        tls: None for plain text.
    """

    address: Address | None
    unix: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    url: str
    tls: Tls | None


@dataclass(frozen=True, slots=True)
class Listen:
    """Every listener of `serve`.

    Attributes:
        api: Health, readiness and metrics.
        gateway: In file order.
        workers: Processes that share the gateway's listeners.
        insecure: Addresses outside loopback may speak plain text.
        proxies: Networks of proxies in front, whose connections many callers share.
    """

    api: Address
    gateway: tuple[Listener, ...]
    workers: int
    insecure: bool = False
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PinnedIssuer:
    """An issuer whose tokens the gateway takes.

    Attributes:
        pin: What its tokens are verified against; its `name` is the key in the file.
        audience: The one `aud` its tokens must have.
        keys: Its JWK Set: an absolute path, `unix:` and the path of our own token
            service's socket, or an https URL; `discovery` where its own
            metadata says (RFC 8414 3).
        bearer: Tokens that are bound to no key are taken, too.
        person: Claim that names a person in its tokens, e.g. `email`; empty where it
            vouches for none.
        private: Its keys may be fetched from a private or loopback address.
        ca: Who signs its certificate, a file; empty for the system's.
        review: Kubernetes TokenReview, None where keys alone decide.
    """

    pin: Issuer
    audience: str
    keys: str
    bearer: bool
    person: str = ""
    private: bool = False
    ca: str = ""
    review: "Review | None" = None


@dataclass(frozen=True, slots=True)
class Review:
    """Where a Kubernetes API server says whether a token is still good.

    Attributes:
        url: Of the API server, https.
        ca: Who signs its certificate, a file.
        token: File with the token that asks, absolute path.
    """

    url: str
    ca: str
    token: str


@dataclass(frozen=True, slots=True)
class Terminator:
    """Who ends TLS in front of the token service, and names client certificates.

    Attributes:
        field: Name of the field that carries the certificate (RFC 9440 2.2), lower
            case, e.g. `client-cert`.
        uid: User id of the terminator at our unix socket.
    """

    field: str
    uid: int


@dataclass(frozen=True, slots=True)
class TokenService:
    """The section `sts`.

    Attributes:
        url: Its `iss`, and where clients reach it.
        listen: In file order; a unix listener attests its callers.
        state: Its own folder: keys, what was issued, the spool. Empty for `sts` in the
            store.
        database: Name of the environment variable that holds a PostgreSQL address,
            empty for SQLite in `state`.
        terminator: None where nobody ends TLS for us.
        admins: User ids that may kill and ask about anything at the unix socket.
        gateways: User ids of gateways, beside our own: at the unix socket they get
            tokens for the servers behind them, for whom they pass calls of.
        passphrase: File with the passphrase of its signing keys; empty for one beside
            them, or in the environment.
        passphrase_env: Name of the environment variable with that, empty for none.
        events: Who is told of sessions that ended (CAEP), https URLs.
        events_ca: Who signs their certificates, a file; empty for the system's.
        health: Where health, readiness and metrics are served apart; None for the
            other listeners alone.
    """

    url: str
    listen: tuple[Listener, ...]
    state: str
    database: str = ""
    terminator: Terminator | None = None
    admins: tuple[int, ...] = ()
    gateways: tuple[int, ...] = ()
    passphrase: str = ""
    passphrase_env: str = ""
    events: tuple[str, ...] = ()
    events_ca: str = ""
    health: Address | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """An upstream MCP server, by URL or by command.

    Attributes:
        name: As in `/mcp/NAME`.
        url: Of its Streamable HTTP endpoint, empty for a command.
        command: argv of a stdio server, empty for a URL.
        env: Pairs (name, value) of the command's environment.
        inherit_env: Names the command takes from the gateway's own environment.
        ca: Who signs its certificate; empty for the system's.
        certificate: Client certificate shown to it, empty for none.
        key: Private key of that.
        reads: Tools that change nothing, as the operator says; patterns.
        sensitive: Resources whose reads are on disk before they happen; patterns.
        hook: Client whose own tools it stands for, asked about by `answerable hook`;
            empty for a server that there is.
        audience: Audience of the token that the gateway shows it, got from our token
            service for the caller; empty where it is shown none.
        credential: What an operator keeps for it, None where it is shown no such thing.
        tools: What is said of its tools, by tool.
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
    pin: Pinning = Pinning.FIRST_USE
    tools: tuple[tuple[str, ToolFacts], ...] = ()
    hook: str = ""


@dataclass(frozen=True, slots=True)
class IssuerCaller:
    """Whoever shows a token of that issuer with that subject."""

    issuer: str
    sub: str


@dataclass(frozen=True, slots=True)
class UnixCaller:
    """The process at the other end of a unix socket.

    Attributes:
        uid: Its user.
        gid: Its group, None for any.
        unit: Its systemd unit, empty for any.
    """

    uid: int
    gid: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class StdioCaller:
    """Whoever starts `gateway stdio` for that server."""

    server: str


CallerRule = IssuerCaller | UnixCaller | StdioCaller


@dataclass(frozen=True, slots=True)
class Allow:
    """One rule: what an agent may do at one server. Names are patterns.

    Attributes:
        id: Place in the file, e.g. `agents.invoices.allow[2]`.
        server: Server name.
        tools: Tool names.
        resources: URIs.
        prompts: Prompt names.
        inputs: What the server may ask back.
    """

    id: str
    server: str
    tools: tuple[str, ...]
    resources: tuple[str, ...]
    prompts: tuple[str, ...]
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class DeclaredAgent:
    """An agent that the file names.

    Attributes:
        id: `agent:declared/NAME`.
        name: The key in the file.
        owner: Mail address or handle, empty where not said.
        mode: What a decision does to its calls.
        callers: Who stands for it.
        allow: What it may do, in file order.
        baseline: How its behaviour is watched; None where it is not.
    """

    id: AgentId
    name: str
    owner: str
    mode: Mode
    callers: tuple[CallerRule, ...]
    allow: tuple[Allow, ...]
    baseline: Learning | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file.

    Attributes:
        place: The file.
        digest: SHA-256 of its bytes, hex; decisions name the policy by it.
        store: Folder of the evidence; empty for the usual store.
        state: Folder of the gateway's own files; empty for `gateway` in the store.
        listen: Listeners.
        issuers: In file order.
        servers: In file order.
        default_mode: Mode of callers that are no agent of this file.
        agents: In file order.
        limits: Bounds.
        otlp: Collector of spans and metrics (OTLP over HTTP), empty for none.
        sts: The token service, None where the file has none.
        rules: Trust rules, in file order.
        decisions: The decision point for those who enforce elsewhere, None where the
            file has none.
        policy: Files of Cedar policies, or globs of such, absolute.
        tables: What owners know, in file order.
        asks: Where owners hear of asks, None where the file does not say.
        web: The web page, None where the file has none.
        sources: What `scan --config` reads: `NAME[:LOCATION]`, in file order.
    """

    place: str
    digest: str
    store: str
    state: str
    listen: Listen
    issuers: tuple[PinnedIssuer, ...]
    servers: tuple[Server, ...]
    default_mode: Mode
    agents: tuple[DeclaredAgent, ...]
    limits: Limits
    otlp: str
    sts: TokenService | None = None
    rules: tuple[TrustRule, ...] = ()
    decisions: DecisionPoint | None = None
    policy: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    asks: Asks | None = None
    web: Web | None = None
    sources: tuple[str, ...] = ()
