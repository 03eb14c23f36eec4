"""Configurations and requests to decide on, from few names so that they meet."""

from hypothesis import strategies as st

from answerable.authorization.name_patterns import is_unambiguous_name
from answerable.model.config import (
    AllowRule,
    ClientFeature,
    Config,
    DeclaredAgent,
    ListenAddress,
    ListenConfig,
    UpstreamServer,
)
from answerable.model.decision import AuthorizationRequest, EnforcementMode, TargetKind
from answerable.model.ids import AgentId, build_agent_id
from answerable.model.worker_limits import WorkerLimits

SERVERS = ("files", "mail")
AGENTS = ("ana", "ben", "cam")
NAMES = (
    "read",
    "read_all",
    "write",
    "file:///srv/a",
    "file:///srv/../etc/passwd",
    "file:///srv/%2e%2e/etc/passwd",
    "file:///srv/%2E%2e/x",
    "file:///srv/a%20b",
    "file:///srv/a\\..\\b",
    "file:///secrets/key",
    "é/..",
    "",
)
ACTIONS = ("tools/call", "tasks/get", "tasks/cancel", "tasks/update", "resources/read")


def limits_and_listeners() -> tuple[ListenConfig, WorkerLimits]:
    return ListenConfig(ListenAddress("127.0.0.1", 8470), (), 1), WorkerLimits()


def config(
    *agents: DeclaredAgent,
    servers: tuple[UpstreamServer, ...] = (),
    default_mode: EnforcementMode = EnforcementMode.ENFORCE,
) -> Config:
    listen, limits = limits_and_listeners()
    return Config(
        place="answerable.yaml",
        digest="d" * 64,
        store="",
        state="",
        listen=listen,
        issuers=(),
        servers=servers,
        default_mode=default_mode,
        agents=agents,
        limits=limits,
        otlp="",
    )


def server(
    name: str, *, reads: tuple[str, ...] = (), sensitive: tuple[str, ...] = ()
) -> UpstreamServer:
    url = f"http://127.0.0.1:9000/{name}"
    return UpstreamServer(name, url, (), (), (), "", "", "", reads, sensitive)


def agent(
    name: str, *rules: AllowRule, mode: EnforcementMode = EnforcementMode.ENFORCE
) -> DeclaredAgent:
    return DeclaredAgent(build_agent_id("declared", name), name, "", mode, (), rules)


def request(
    name: str = "read",
    *,
    agent: AgentId | None = None,
    known: bool = True,
    server: str = "files",
    action: str = "tools/call",
    target: TargetKind = TargetKind.TOOL,
) -> AuthorizationRequest:
    who = agent or build_agent_id("declared", "ana")
    return AuthorizationRequest(
        who, known, server, action, target, name, "run-1", "corp ana"
    )


def _patterns() -> st.SearchStrategy[tuple[str, ...]]:
    names = st.sampled_from([name for name in NAMES if name])
    prefixes = names.flatmap(
        lambda name: st.integers(0, len(name)).map(lambda end: name[:end] + "*")
    ).filter(lambda pattern: is_unambiguous_name(pattern[:-1]))
    return st.lists(names | prefixes, max_size=4).map(tuple)


_servers = st.builds(server, st.just(""), reads=_patterns(), sensitive=_patterns())


@st.composite
def rules(draw: st.DrawFn, name: str, index: int, servers: list[str]) -> AllowRule:
    return AllowRule(
        id=f"agents.{name}.allow[{index}]",
        server=draw(st.sampled_from(servers)),
        tools=draw(_patterns()),
        resources=draw(_patterns()),
        prompts=draw(_patterns()),
        inputs=tuple(draw(st.lists(st.sampled_from(ClientFeature), max_size=2))),
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any configuration over few names."""
    names = draw(st.lists(st.sampled_from(SERVERS), unique=True, min_size=1))
    servers = tuple(
        server(name, reads=draw(_patterns()), sensitive=draw(_patterns()))
        for name in names
    )
    agents = tuple(
        agent(
            name,
            *(
                draw(rules(name, index, names))
                for index in range(draw(st.integers(0, 4)))
            ),
            mode=draw(st.sampled_from(EnforcementMode)),
        )
        for name in draw(st.lists(st.sampled_from(AGENTS[:2]), unique=True))
    )
    mode = draw(st.sampled_from(EnforcementMode))
    return config(*agents, servers=servers, default_mode=mode)


def requests() -> st.SearchStrategy[AuthorizationRequest]:
    """Any request over the same names."""
    return st.builds(
        AuthorizationRequest,
        agent=st.sampled_from([build_agent_id("declared", name) for name in AGENTS]),
        known=st.booleans(),
        server=st.sampled_from((*SERVERS, "none")),
        action=st.sampled_from(ACTIONS),
        target=st.sampled_from(TargetKind),
        name=st.sampled_from(NAMES),
        run=st.sampled_from(("run-1", "run-2")),
        principal=st.sampled_from(("corp ana", "corp ben")),
    )


def kills() -> st.SearchStrategy[frozenset[str]]:
    """Any kills over the same names."""
    subjects = st.sampled_from(
        (
            *(f"agent:declared/{name}" for name in AGENTS),
            "run:run-1",
            "principal:corp ben",
            *(f"server:{name}" for name in SERVERS),
            *(f"tool:mcp/files/{name}" for name in NAMES if name),
        )
    )
    return st.frozensets(subjects, max_size=3)
