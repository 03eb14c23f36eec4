"""JSON output of the baseline commands. See docs/cli.md."""

from typing import Annotated, NotRequired, TypedDict

from answerable.model.documents.columns import Column


class BaselineLayerItem(TypedDict):
    """Layer of a baseline, with the estimated share of future calls that are new."""

    layer: Annotated[str, Column("the layer")]
    samples: Annotated[int, Column("number of values")]
    singletons: Annotated[int, Column("values seen once")]
    unseen: Annotated[float, Column("estimated share of future values that are new")]
    at_most: Annotated[float, Column("upper end of the interval")]


class BaselineEntryItem(TypedDict):
    """Entry of a baseline, with its counts and its last example."""

    layer: Annotated[str, Column("layer of the profile", "", 0)]
    tool: Annotated[str, Column("the tool", "", 1, floor=12)]
    path: Annotated[str, Column("the argument", "argument", 2)]
    sensitive: Annotated[
        bool,
        Column(
            "whether the argument is security-relevant, such as a payee", "", 2, "flag"
        ),
    ]
    what: Annotated[str, Column("the content", "holds", 1, floor=20)]
    firm: Annotated[bool, Column("false for a provisional entry", "", 2)]
    count: Annotated[int, Column("number of calls", "times", 0, "number", right=True)]
    runs: Annotated[int, Column("number of runs", "", 0, "number", right=True)]
    days: Annotated[int, Column("number of days", "", 3, "number", right=True)]
    example: Annotated[
        str | None,
        Column("a decision with this value", "last example", 4, "digest", floor=8),
    ]
    persons: Annotated[int, Column("number of persons")]
    last: Annotated[str | None, Column("the latest call", format="time")]


class BaselineItem(TypedDict):
    """`answerable baseline learn`, `show` and `sign`: one profile.

    `state` is `draft`, `standing`, or `replaced`. `not_ready` is the reason why it
    cannot leave shadow yet. `entries` is filled by `show` alone. In a list, `lapsed` is
    the reason why the owner's last signed profile is not in force.
    """

    digest: Annotated[str, Column("SHA-256 of the profile, which is also its name")]
    agent: Annotated[str, Column("agent of the profile")]
    identity: Annotated[str | None, Column("the principal")]
    server: Annotated[str, Column("the server")]
    state: Annotated[
        str, Column("`draft`; `standing` for a signed profile in force; or `replaced`")
    ]
    stage: Annotated[
        str | None, Column("`shadow` or `enforce`, if the profile is in force")
    ]
    person: Annotated[str | None, Column("signer")]
    signed_at: Annotated[str | None, Column("time of the signature", format="time")]
    expires: Annotated[str | None, Column("expiry of the signature", format="time")]
    runs: Annotated[int, Column("number of runs")]
    learned_at: Annotated[str, Column("time of learning", format="time")]
    until: Annotated[str, Column("time from which the profile is stale", format="time")]
    parent: Annotated[str | None, Column("previous profile")]
    root: Annotated[str | None, Column("Merkle root of the training runs")]
    ready: Annotated[bool, Column("whether there is enough data to leave shadow")]
    not_ready: Annotated[
        list[str], Column("missing data, if the profile cannot leave shadow")
    ]
    layers: Annotated[list[BaselineLayerItem], Column("the layers")]
    entries: Annotated[
        list[BaselineEntryItem],
        Column("content of the profile; empty except in `show`"),
    ]
    lapsed: NotRequired[
        Annotated[
            str,
            Column("in a list: the reason why the last signed profile is not in force"),
        ]
    ]


class BaselineChangeItem(TypedDict):
    """`answerable baseline diff`: one line, the most severe first."""

    consequence: Annotated[
        str,
        Column(
            "`new-flow-from-untrusted-text`, `new-reach`, `new-flow`, `wider`, `removed`",
            "",
            0,
        ),
    ]
    tool: Annotated[str, Column("the tool", "", 1, floor=12)]
    path: Annotated[str, Column("the argument", "argument", 2)]
    text: Annotated[str, Column("the change", "what", 1, floor=20)]
    count: Annotated[int, Column("number of calls", "times", 0, "number", right=True)]
    runs: Annotated[int, Column("number of runs", "", 0, "number", right=True)]
    example: Annotated[
        str | None,
        Column("a decision with this value", "last example", 3, "digest", floor=8),
    ]
    days: Annotated[int, Column("number of days")]
    last: Annotated[str | None, Column("the latest call", format="time")]


class ReplayedCallItem(TypedDict):
    """Call that a baseline would have blocked or sent for approval."""

    decision: Annotated[str, Column("the recorded decision")]
    at: Annotated[str, Column("time of the call", format="time")]
    tool: Annotated[str, Column("the tool")]
    effect: Annotated[str, Column("`deny` or `ask`")]
    codes: Annotated[list[str], Column("kinds of deviation")]
    sentence: Annotated[str, Column("description of the deviations")]


class BaselineReplayItem(TypedDict):
    """`answerable baseline replay`: effect of a profile on recorded calls.

    `differing` counts calls with another shadow result under the same profile; it is
    always zero.
    """

    digest: Annotated[str, Column("the profile")]
    agent: Annotated[str, Column("the agent")]
    identity: Annotated[str | None, Column("the principal")]
    server: Annotated[str, Column("the server")]
    calls: Annotated[int, Column("recorded calls")]
    allowed: Annotated[int, Column("calls that the profile would allow")]
    asked: Annotated[int, Column("number of calls that would require approval")]
    denied: Annotated[int, Column("calls that the profile would deny")]
    compared: Annotated[
        int, Column("calls that the profile evaluated at the time of the call")
    ]
    differing: Annotated[
        int, Column("evaluated calls with a different result; always 0")
    ]
    held_back: Annotated[
        list[ReplayedCallItem],
        Column(
            "calls that the profile would deny, and calls that would require approval"
        ),
    ]


class BaselineCheckItem(TypedDict):
    """`answerable baseline check`: an event that departs from the profile."""

    at: Annotated[str, Column("time of the event", "", 0)]
    action: Annotated[str, Column("the action", "", 1, floor=12)]
    resource: Annotated[str, Column("the resource", "", 1, floor=16)]
    codes: Annotated[
        list[str],
        Column("`new-tool`: the action, `new-resource`", "departs", 0, "names"),
    ]
    event: Annotated[str, Column("the event", "", 3, "digest", floor=8)]
    identity: Annotated[str, Column("the identity")]
    sentence: Annotated[str, Column("description of the deviations")]
