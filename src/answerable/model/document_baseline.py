"""The documents about baselines: shapes only. See docs/cli.md."""

from typing import NotRequired, TypedDict


class BaselineLayerItem(TypedDict):
    """One layer of a baseline: how much of what comes next it has not seen yet."""

    layer: str
    samples: int
    singletons: int
    unseen: float
    at_most: float


class EntryItem(TypedDict):
    """One entry of a baseline, with how often it was seen and its last example."""

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

    `state` is `draft`, `standing`, or `replaced`. `not_ready` says why it could not
    leave shadow yet. `entries` is empty but in `show`. In a list, `lapsed` says why
    what its owner signed last for the subject does not stand.
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
    entries: list[EntryItem]
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
    """A call that a baseline would have held back, or asked about."""

    decision: str
    at: str
    tool: str
    effect: str
    codes: list[str]
    sentence: str


class BaselineReplayItem(TypedDict):
    """`answerable baseline replay`: what a profile makes of recorded calls.

    `differing` counts calls of which shadow, with this very profile, had said
    something else; there are none.
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
    """`answerable baseline check`: an event that departs from what was learned."""

    event: str
    at: str
    identity: str
    action: str
    resource: str
    codes: list[str]
    sentence: str
