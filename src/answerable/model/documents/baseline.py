"""JSON output of the baseline commands. See docs/cli.md."""

from typing import NotRequired, TypedDict


class BaselineLayerItem(TypedDict):
    """Layer of a baseline, with the estimated share of future calls that are new."""

    layer: str
    samples: int
    singletons: int
    unseen: float
    at_most: float


class BaselineEntryItem(TypedDict):
    """Entry of a baseline, with its counts and its last example."""

    layer: str
    tool: str
    path: str
    what: str
    sensitive: bool
    firm: bool
    count: int
    runs: int
    days: int
    persons: int
    last: str | None
    example: str | None


class BaselineItem(TypedDict):
    """`answerable baseline learn`, `show` and `sign`: one profile.

    `state` is `draft`, `standing`, or `replaced`. `not_ready` is the reason why it
    cannot leave shadow yet. `entries` is filled by `show` alone. In a list, `lapsed` is
    the reason why the owner's last signed profile is not in force.
    """

    digest: str
    agent: str
    identity: str | None
    server: str
    state: str
    stage: str | None
    person: str | None
    signed_at: str | None
    expires: str | None
    runs: int
    learned_at: str
    until: str
    parent: str | None
    root: str | None
    ready: bool
    not_ready: list[str]
    layers: list[BaselineLayerItem]
    entries: list[BaselineEntryItem]
    lapsed: NotRequired[str]


class BaselineChangeItem(TypedDict):
    """`answerable baseline diff`: one line, the gravest first."""

    consequence: str
    tool: str
    path: str
    text: str
    count: int
    runs: int
    days: int
    last: str | None
    example: str | None


class ReplayedCallItem(TypedDict):
    """Call that a baseline would have blocked or sent for approval."""

    decision: str
    at: str
    tool: str
    effect: str
    codes: list[str]
    sentence: str


class BaselineReplayItem(TypedDict):
    """`answerable baseline replay`: effect of a profile on recorded calls.

    `differing` counts calls with another shadow result under the same profile; it is
    always zero.
    """

    digest: str
    agent: str
    identity: str | None
    server: str
    calls: int
    allowed: int
    asked: int
    denied: int
    compared: int
    differing: int
    held_back: list[ReplayedCallItem]


class BaselineCheckItem(TypedDict):
    """`answerable baseline check`: an event that departs from the profile."""

    event: str
    at: str
    identity: str
    action: str
    resource: str
    codes: list[str]
    sentence: str
