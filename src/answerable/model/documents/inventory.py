"""Items of the inventory lists: agents, tools, identities, credentials and people."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.person_merges import PersonMergeItem
from answerable.model.provenance import WrittenBy

_WRITTEN_BY = "`platform`, `mediator`, `person` or `self-reported`: the party that could have written the data"


class OwnerItem(TypedDict):
    """Owner in a list."""

    state: Annotated[str, Column("state of ownership, see [ownership](ownership.md)")]
    person: Annotated[str | None, Column("the owner, if the state names one")]
    score: Annotated[float, Column("0 to 1", "score", 6, "score", sort="score")]


ToolCredentialItem = TypedDict(
    "ToolCredentialItem",
    {
        "id": Annotated[str, Column("id of the credential")],
        "kind": Annotated[str, Column("the kind, such as `aws-access-key`")],
        "place": Annotated[
            str, Column("file and pointer at which the tool reads the credential")
        ],
        "class": Annotated[
            str, Column("how the file refers to the credential, as in `credentials`")
        ],
        "hint": Annotated[str, Column("at most the last four characters of the value")],
        "name": Annotated[str, Column("variable, header or file")],
    },
)


class AgentToolItem(TypedDict):
    """Tool of an agent; `credential` is the most informative one."""

    id: Annotated[
        str,
        Column(
            "`tool:mcp/SERVER/TOOL`, or `tool:CLIENT/NAME` for a [built-in tool](inventory.md#built-in-tools)"
        ),
    ]
    server: Annotated[
        str, Column("the server of the tool; for a built-in tool, the name of the tool")
    ]
    transport: Annotated[
        str,
        Column(
            "`stdio`, `http`, `sse`; `container` if the tool runs in a container; `shell`, `file` or `fetch` of a built-in tool"
        ),
    ]
    target: Annotated[str, Column("command or address")]
    enabled: Annotated[bool, Column("whether the client may call the tool")]
    unattended: Annotated[
        bool, Column("whether the tool may run without a person's approval")
    ]
    rule: Annotated[
        str,
        Column(
            "the client's rule that limits the tool; empty for none",
            written_by=WrittenBy.SELF_REPORTED,
        ),
    ]
    inherited: Annotated[
        bool, Column("whether the tool uses the ambient credentials of its host")
    ]
    credential: Annotated[
        ToolCredentialItem | None, Column("the most specific credential of the tool")
    ]
    credentials: Annotated[
        list[ToolCredentialItem], Column("all credentials of the tool")
    ]
    identity: Annotated[
        str | None,
        Column("the identity of the tool, if there is exactly one", format="id"),
    ]
    identities: Annotated[
        list[str],
        Column(
            "all identities; for a `file` or `fetch` tool, the identities with a credential that the tool could read",
            format="ids",
        ),
    ]


class AgentItem(TypedDict):
    """`answerable agents`."""

    id: Annotated[str, Column("id of the agent", "agent", 0, "short-id", sort="name")]
    owner: Annotated[OwnerItem, Column("the owner", "owner", 1, "owner", floor=20)]
    tools: Annotated[
        list[AgentToolItem],
        Column("the tools", "tools", 3, "agent-tools", floor=12, empty="none known"),
    ]
    identities: Annotated[
        list[str],
        Column(
            "all identities of the agent",
            "acts as",
            2,
            "identities",
            floor=14,
            empty="not known",
        ),
    ]
    unattended: Annotated[
        bool,
        Column(
            "whether a tool of the agent may run without a person's approval",
            "runs",
            4,
            "run-mode",
        ),
    ]
    kind: Annotated[str, Column("the client or framework", "kind", 5)]
    place: Annotated[
        str, Column("file and pointer that declare the agent", "place", 6, floor=12)
    ]
    name: Annotated[str, Column("the name in that file")]
    known: Annotated[str, Column("how the agent is known")]
    note: Annotated[str, Column("further information from that file")]
    parent: Annotated[str | None, Column("the parent agent", format="id")]
    written_by: Annotated[str, Column(_WRITTEN_BY)]


class ToolItem(TypedDict):
    """`answerable tools`."""

    id: Annotated[str, Column("id of the tool", "tool", 0, sort="name")]
    agent: Annotated[
        str, Column("the agent that has the tool", "agent", 2, "short-id", floor=26)
    ]
    credential: Annotated[
        ToolCredentialItem | None,
        Column(
            "the most specific credential of the tool",
            "credential",
            1,
            "credential",
            floor=26,
            empty="none stated",
        ),
    ]
    identities: Annotated[
        list[str],
        Column(
            "identities of the tool; for a `file` or `fetch` tool, the identities with a credential that the tool could read",
            "acts as",
            2,
            "identities",
            floor=20,
            empty="not known",
        ),
    ]
    unattended: Annotated[
        bool,
        Column("whether the tool may run without approval", "runs", 4, "run-mode"),
    ]
    enabled: Annotated[bool, Column("whether the client may call the tool")]
    rule: Annotated[
        str,
        Column(
            "the client's rule that limits the tool; empty for none",
            "client's rule",
            3,
            floor=24,
            sort="rule",
            written_by=WrittenBy.SELF_REPORTED,
        ),
    ]
    target: Annotated[str, Column("command or address", "target", 5, floor=24)]
    server: Annotated[
        str, Column("the server of the tool; for a built-in tool, the name of the tool")
    ]
    transport: Annotated[str, Column("as in `agents`")]
    written_by: Annotated[str, Column(_WRITTEN_BY)]


class RoleAssignmentItem(TypedDict):
    """Person who may assume a role; `via` is the permission set and the group."""

    person: Annotated[str, Column("the person", format="id")]
    via: Annotated[str, Column("permission set and group")]


class IdentityItem(TypedDict):
    """`answerable identities`."""

    id: Annotated[str, Column("id of the identity", "identity", 0, "id", sort="name")]
    owner: Annotated[OwnerItem, Column("the owner", "owner", 1, "owner", floor=20)]
    agents: Annotated[
        list[str],
        Column(
            "agents that can act as the identity",
            "agents",
            2,
            "ids",
            floor=20,
            empty="none known",
        ),
    ]
    credentials: Annotated[
        list[str],
        Column("credentials of the identity", "keys", 4, "count", right=True),
    ]
    last_used_at: Annotated[
        str | None,
        Column(
            "last use; null if not collected",
            "last used",
            3,
            "time",
            empty="not known",
        ),
    ]
    kind: Annotated[str, Column("the kind, such as `aws-role`", "kind", 4)]
    permissions: Annotated[
        str,
        Column(
            "`collected`, or `not collected`: the permissions are `not-known` until a source of the platform is scanned",
            "permissions",
            4,
        ),
    ]
    created_at: Annotated[
        str | None,
        Column("null if not collected", "created", 5, "time", sort="made"),
    ]
    name: Annotated[str, Column("the name on the platform")]
    account: Annotated[str, Column("the account")]
    tags: Annotated[dict[str, str], Column("tags on the platform")]
    written_by: Annotated[str, Column(_WRITTEN_BY)]
    people: Annotated[
        list[RoleAssignmentItem],
        Column("people who can assume the identity through single sign-on"),
    ]


class CredentialPlaceItem(TypedDict):
    """Place of a credential."""

    place: Annotated[str, Column("file and pointer")]
    name: Annotated[str, Column("variable, header or file")]
    written_by: Annotated[str, Column(_WRITTEN_BY)]


CredentialItem = TypedDict(
    "CredentialItem",
    {
        "id": Annotated[
            str, Column("id of the credential", "credential", 0, "id", sort="name")
        ],
        "kind": Annotated[
            str,
            Column("the kind, such as `aws-access-key`", "kind", 1, empty="not known"),
        ],
        "agents": Annotated[
            list[str],
            Column(
                "agents that use the credential",
                "agents",
                1,
                "ids",
                floor=18,
                empty="none known",
            ),
        ],
        "tools": Annotated[
            list[str],
            Column(
                "tools of these agents that use the credential",
                "tools",
                1,
                "tools",
                floor=12,
                empty="none known",
            ),
        ],
        "identity": Annotated[
            str | None,
            Column(
                "the identity that the credential authenticates",
                "proves",
                2,
                "identity",
                floor=14,
                empty="not known",
                fallback="how",
            ),
        ],
        "class": Annotated[
            str,
            Column(
                "how the file refers to the credential: `literal`, `env-ref`, `file-ref`, `keychain/input-ref`, `oauth`, `ambient`; `record` for a platform's own list",
                "class",
                4,
            ),
        ],
        "lifetime": Annotated[
            str,
            Column(
                "`static`, `short-lived`, `federated`, `ambient`, `unknown`",
                "lives",
                3,
                "lifetime",
                floor=12,
            ),
        ],
        "owner": Annotated[
            OwnerItem, Column("the owner", "owner", 5, "owner", floor=20)
        ],
        "places": Annotated[
            list[CredentialPlaceItem],
            Column("the places", "stored in", 3, "places", floor=20, sort="places"),
        ],
        "last_used_at": Annotated[
            str | None,
            Column("last use; null if not collected", "last used", 7, "time"),
        ],
        "created_at": Annotated[
            str | None, Column("null if not collected", format="time", sort="made")
        ],
        "expires_at": Annotated[
            str | None,
            Column("null for no expiry, or if not collected", format="time"),
        ],
        "hint": Annotated[
            str,
            Column(
                "at most the last four characters of a long literal, otherwise empty"
            ),
        ],
        "account": Annotated[
            str, Column("account number, if the key id contains the number")
        ],
        "status": Annotated[
            str, Column("`active`, `inactive`, or empty if not collected")
        ],
        "how": Annotated[
            str, Column("how the identity is known, or the data that is missing")
        ],
    },
)


class PersonItem(TypedDict):
    """`answerable people`."""

    id: Annotated[
        str, Column("id of the person or team", "person", 0, "id", sort="name")
    ]
    name: Annotated[str, Column("full name", "name", 2, floor=8, sort="full-name")]
    alive: Annotated[
        bool, Column("false for a person who has left", "is", 1, "presence")
    ]
    owns: Annotated[
        list[str],
        Column(
            "subjects that the person owns; suggested ones only on request",
            "owns",
            1,
            "count",
            right=True,
            empty="none known",
        ),
    ]
    aliases: Annotated[
        list[str],
        Column("other names of the same person", "also known as", 3, "ids", floor=12),
    ]
    team: Annotated[
        bool,
        Column(
            "whether the entry is a team; a team receives notices, but is never the only owner"
        ),
    ]
    may_become: Annotated[
        list[str],
        Column("roles that the person can assume through single sign-on", format="ids"),
    ]
    manager: Annotated[
        str, Column("the manager, according to a directory", format="id")
    ]
    merged: Annotated[
        list[PersonMergeItem],
        Column("statements by which other ids are listed with this person"),
    ]
    sponsors: Annotated[
        list[str], Column("people who are responsible for a guest", format="ids")
    ]
