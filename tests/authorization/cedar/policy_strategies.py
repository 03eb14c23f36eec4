"""Cedar policies and requests about few things, so that they meet."""

import json

from hypothesis import strategies as st

from answerable.authorization.cedar.loader import LoadedPolicies, load_policies
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarFile, CedarPolicySet
from answerable.model.config import Config
from answerable.model.decision import AuthorizationRequest, EnforcementMode, TargetKind
from answerable.model.ids import AgentId, build_agent_id
from tests.authorization.config_strategies import agent, config, rules, server

KNOWN = frozenset(
    {
        *(f"agent:declared/{name}" for name in ("ana", "ben", "cam")),
        *("server:files", "server:mail"),
    }
)
TOOLS = ("read", "read_all", "write")
AGENTS = tuple(build_agent_id("declared", name) for name in ("ana", "ben", "cam"))


def read(*texts: str, before: CedarPolicySet = NO_CEDAR_POLICIES) -> LoadedPolicies:
    files = [
        CedarFile(f"{position}.cedar", text.encode())
        for position, text in enumerate(texts)
    ]
    return load_policies(files, KNOWN, before)


def rules_of(*texts: str) -> CedarPolicySet:
    found = read(*texts)
    assert found.faults == ()
    return found.rules


def call(
    name: str = "read",
    *,
    agent: AgentId = AGENTS[0],
    server: str = "files",
    arguments: object = None,
    raw: bytes = b"",
    known: bool = True,
    identity: str = "",
    person: str = "",
    chain: tuple[AgentId, ...] = (),
) -> AuthorizationRequest:
    """A call of a tool."""
    return AuthorizationRequest(
        *(
            agent,
            known,
            server,
            "tools/call",
            TargetKind.TOOL,
            name,
            "run-1",
            "corp ana",
        ),
        *(person, identity, chain),
        raw if arguments is None else json.dumps(arguments).encode(),
    )


_principals = st.sampled_from(
    (
        *("principal", "principal is Agent"),
        *(f'principal == Agent::"{each}"' for each in AGENTS[:2]),
        f'principal in Agent::"{AGENTS[0]}"',
        f'principal is Agent in Agent::"{AGENTS[1]}"',
    )
)
_resources = st.sampled_from(
    (
        *("resource", "resource is Tool"),
        *(f'resource == Tool::"tool:mcp/files/{name}"' for name in TOOLS),
        'resource == Tool::"tool:mcp/mail/read"',
        *(f'resource in Server::"server:{name}"' for name in ("files", "mail")),
        'resource is Tool in Server::"server:files"',
        'resource in Tool::"tool:mcp/files/write"',
    )
)
_calls = st.sampled_from(
    ('action == Action::"tools/call"', 'action in [Action::"tools/call"]')
)
_heads_of_anything = st.sampled_from(
    (
        *("principal, action, resource", "principal, action, resource is Server"),
        'principal, action, resource in Server::"server:files"',
        'principal, action == Action::"tools/list", resource',
        'principal, action in [Action::"tools/list", Action::"tasks/get"], resource',
        'principal, action, resource == Server::"server:mail"',
        'principal, action == Action::"resources/read", resource == '
        'Resource::"resource:mcp/files/file:///srv/a"',
        f'principal == Agent::"{AGENTS[1]}", action, resource is Resource',
    )
)
_of_anybody = st.sampled_from(
    (
        'resource.name like "read*"',
        'context has identity && context.identity == Identity::"sts ana"',
        'context has person && context.person != Person::"person:ana@x"',
        'principal == Agent::"agent:declared/ana"',
        f'[Agent::"{AGENTS[0]}", Agent::"{AGENTS[2]}"].contains(principal)',
        'resource in [Server::"server:mail"]',
        'action == Action::"tools/call"',
    )
)
_of_arguments = st.sampled_from(
    (
        *(f"context.arguments.amount {word} 10" for word in ("<", "<=", ">", ">=")),
        *("context.arguments.amount == 10", "context.arguments.amount != -1"),
        'context.arguments.path like "/srv/*"',
        'context.arguments.path like "*a*b*"',
        r'context.arguments.path like "/srv/\*"',
        'context.arguments.path == "/srv/a"',
        "context.arguments.flag",
        "context.arguments.flag == true",
        "context.arguments has amount",
        "context.arguments has amount && context.arguments.amount < 10",
        'context.arguments.tags.contains("x")',
        '["/srv/a", "/srv/b"].contains(context.arguments.path)',
        "[1, 10].contains(context.arguments.amount)",
        'context.arguments.opts.kind == "big"',
        "context.arguments.opts has kind",
        # What is Cedar's to decide.
        'context.arguments.tags.containsAll(["x"])',
        "context.arguments.amount + 1 < 10",
        "context.arguments.path == context.arguments.to",
        "if context.arguments.flag then context.arguments.amount < 5 else false",
        'ip("10.0.0.1").isInRange(ip("10.0.0.0/8"))',
        "context.arguments.tags.isEmpty()",
    )
)


def _joined(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            inner.map(lambda one: f"!({one})"),
            st.tuples(inner, st.sampled_from(("&&", "||")), inner).map(
                lambda three: f"({three[0]}) {three[1]} ({three[2]})"
            ),
        ),
        max_leaves=3,
    )


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Any policy over these."""
    word = draw(st.sampled_from(("permit", "permit", "forbid", "@ask forbid")))
    atoms: st.SearchStrategy[str]
    if draw(st.booleans()):
        head = f"{draw(_principals)}, {draw(_calls)}, {draw(_resources)}"
        atoms = st.one_of(_of_arguments, _of_arguments, _of_anybody)
    else:
        head = draw(_heads_of_anything)
        atoms = _of_anybody
    conditions = [
        f"{draw(st.sampled_from(('when', 'unless')))} {{ {draw(_joined(atoms))} }}"
        for _ in range(draw(st.sampled_from((0, 1, 1, 2))))
    ]
    return f"{word} ({head}) {' '.join(conditions)};"


_numbers = st.sampled_from(
    (*(-1, 0, 9, 10, 11) * 3, 2**63, 10.0, 9.5, 1e300, "10", True)
)
_paths = st.sampled_from(
    (*("/srv/a", "/srv/", "/srv/*", "xaxbx", "") * 3, "\ud800", 3, "/srv/../b")
)
_LOOKALIKES = ("Amount", "amount\0", "PATH", "pa\u200bth", "Tags", "FLAG", "Other")
_members = {
    "amount": _numbers,
    "path": _paths,
    "to": _paths,
    "flag": st.sampled_from((*(True, False) * 3, 1, None, "true")),
    "tags": st.sampled_from((["x"], [], ["y", 1.5], "x", [None], ["x", "x"])),
    "opts": st.sampled_from(
        (
            *({"kind": "big"}, {"kind": 2.5}, {}, "kind"),
            {"__entity": {"type": "Agent", "id": "a"}, "kind": "big"},
            {"__extn": {"fn": "ip", "arg": "1.1.1.1"}},
        )
    ),
}
_raw = st.sampled_from((b"", b"{}", b"[]", b"{", b'{"amount":1,"amount":11}'))


@st.composite
def requests(draw: st.DrawFn) -> AuthorizationRequest:
    """Any request over these."""
    target, action = draw(
        st.sampled_from(
            (
                *([(TargetKind.TOOL, "tools/call")] * 6),
                *((TargetKind.LIST, "tools/list"), (TargetKind.TASK, "tasks/get")),
                *(
                    (TargetKind.SESSION, "initialize"),
                    (TargetKind.PERSON, "elicitation/create"),
                ),
                (TargetKind.RESOURCE, "resources/read"),
            )
        )
    )
    names = TOOLS if target is TargetKind.TOOL else ("", "file:///srv/a")
    missing = draw(st.sets(st.sampled_from(sorted(_members)), max_size=2))
    given = {name: draw(each) for name, each in _members.items() if name not in missing}
    if draw(st.integers(0, 9)) == 0:
        given[draw(st.sampled_from(_LOOKALIKES))] = draw(
            st.sampled_from((None, 5, "x"))
        )
    if isinstance(opts := given.get("opts"), dict) and draw(st.integers(0, 9)) == 0:
        given["opts"] = opts | {"Kind": "big"}
    is_raw = draw(st.integers(0, 19)) == 0
    return AuthorizationRequest(
        agent=draw(st.sampled_from(AGENTS)),
        known=draw(st.integers(0, 9)) > 0,
        server=draw(st.sampled_from(("files", "files", "mail"))),
        action=action,
        target=target,
        name=draw(st.sampled_from(names)),
        run="run-1",
        principal="corp ana",
        person=draw(st.sampled_from(("", "person:ana@x"))),
        identity=draw(st.sampled_from(("", "sts ana"))),
        chain=draw(st.sampled_from(((), (), (), (AGENTS[2],), AGENTS[1:]))),
        arguments=draw(_raw) if is_raw else json.dumps(given).encode(),
    )


@st.composite
def files(draw: st.DrawFn) -> Config:
    """A configuration with all of these agents and servers."""
    return config(
        *(
            agent(
                name,
                *(draw(rules(name, 0, ["files"])) for _ in range(draw(_none_or_one))),
                mode=draw(st.sampled_from(EnforcementMode)),
            )
            for name in ("ana", "ben")
        ),
        servers=tuple(server(name, reads=("read",)) for name in ("files", "mail")),
        default_mode=draw(st.sampled_from(EnforcementMode)),
    )


_none_or_one = st.sampled_from((0, 0, 1))
