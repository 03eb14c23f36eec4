"""Records of a gateway: what was asked and decided, and how it ended.

A record holds digests and sizes of what went over the wire, never arguments, results
or tokens. What is named (a tool, a prompt, a URI) is the act, and stays.

These are msgspec structs and no dataclasses, unlike the rest of the model: a gateway
makes two of them per call, and a frozen dataclass costs five times as much to make.
"""

from enum import StrEnum

import msgspec

from answerable.model.baseline import Accepted
from answerable.model.behaviour import NOWHERE, Envelope, Observation
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Target
from answerable.model.judgement import Finding

SOURCE = "gateway"  # of the events that records become
STS = "sts"  # of those that a token service recorded
STS_PREFIX = "sts-"  # of the names of a token service's recorders
PDP = "pdp"  # of those that a decision point recorded, for who enforces elsewhere
PDP_PREFIX = "pdp-"  # of the names of a decision point's recorders
HOOK = "hook"  # of those that a hook in an agent's client recorded
HOOK_PREFIX = "hook-"  # of the names of a hook's recorders

WEB = "web"  # of those that a web page recorded
WEB_PREFIX = "web-"  # of the names of a web page's recorders


def source_of(recorder: str) -> str:
    """Give the source of the events that a recorder's records become."""
    doors = ((STS_PREFIX, STS), (PDP_PREFIX, PDP), (WEB_PREFIX, WEB))
    named = (*doors, (HOOK_PREFIX, HOOK))
    return next((of for prefix, of in named if recorder.startswith(prefix)), SOURCE)


class Ending(StrEnum):
    """How a call ended that went on."""

    COMPLETED = "completed"  # an answer was relayed, whole
    FAILED = "failed"  # the answer is an error of the tool or of the server
    CANCELLED = "cancelled"  # the server confirmed a cancellation
    UNKNOWN = "unknown"  # it may have happened or not
    UPSTREAM_ERROR = "upstream-error"  # nothing readable came back
    LEAKED = "leaked"  # the answer held what its server was shown, and was kept back
    WITHHELD = "withheld"  # it never went on: unrecorded, killed or given up first


class End(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What came back for a call.

    Attributes:
        outcome: How it ended.
        status: HTTP status of the server, 0 without one.
        code: JSON-RPC error code, 0 without one.
        size: Bytes of the answer.
        sha256: Digest of the answer, hex; empty where none was read.
        state: SHA-256 of a `requestState` that was handed out, hex.
        task: Id of a task that was made.
        inputs: Methods of the inputs that were asked for.
        came: Of a call whose behaviour is watched: what came back counts.
        text: Likewise, bytes of text that came back.
        records: Likewise, records.
        untrusted: Likewise, something of it strangers may have written.
    """

    outcome: Ending
    status: int = 0
    code: int = 0
    size: int = 0
    sha256: str = ""
    state: str = ""
    task: str = ""
    inputs: tuple[str, ...] = ()
    came: bool = False
    text: int = 0
    records: int = 0
    untrusted: bool = False


class Acted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A call as a baseline sees it: entities, what explains them, what is made of it.

    Attributes:
        seen: The call. Where values are not to be kept, they are empty.
        identity: Identity whose profile it falls under; empty where it is shown none.
        span: Seconds over which runs of the agent count together.
        profile: Digest of the profile that it was judged by, hex; empty where there
            was none.
        enforced: What is made of it holds; else it is shown what would have been.
        effect: What the profile makes of it; empty where there was none.
        findings: Why, strictest first.
        amendment: The smallest change that would allow it; None where it is allowed.
        envelope: From where it came.
    """

    seen: Observation
    identity: str = ""
    span: int = 0
    profile: str = ""
    enforced: bool = False
    effect: str = ""
    findings: tuple[Finding, ...] = ()
    amendment: Accepted | None = None
    envelope: Envelope = NOWHERE


class Act(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was asked, without what it was asked with.

    Attributes:
        era: Revision of the protocol.
        method: MCP method, empty for a response and for a session's stream.
        server: Upstream server, as the configuration names it.
        target: What the method acts on.
        name: Tool, prompt, URI or task; empty where nothing is named.
        watched: What a listen stream is to bring changes of.
        session: SHA-256 of the session id, hex; empty without one.
        state: SHA-256 of `requestState`, hex; links a retry to what it answers.
        size: Bytes of the message.
        arguments: SHA-256 of the arguments as they came, hex; empty without any.
        identity: Principal that the server sees the call come from, or the credential
            that it is shown (`cred:...`); empty where it is shown nothing of ours.
        credential: SHA-256 of the token that it is shown, or the keyed fingerprint of
            another secret, hex.
        jti: Id of that token, empty without one.
        asked_by: Principal of the enforcement point that asked, empty where it is
            ourselves.
        acted: The call as a baseline sees it; None where nobody watches.
    """

    era: str
    method: str
    server: str
    target: Target
    name: str = ""
    watched: tuple[str, ...] = ()
    session: str = ""
    state: str = ""
    size: int = 0
    arguments: str = ""
    identity: str = ""
    credential: str = ""
    jti: str = ""
    asked_by: str = ""
    acted: Acted | None = None


class _Record(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """What every record has.

    Attributes:
        sequence: From 1, without a gap.
        at: UTC nanoseconds.
    """

    sequence: int
    at: int


class Opened(_Record, frozen=True, gc=False, tag="opened"):
    """A recorder began; it is the first record of each.

    Attributes:
        recorder: Its name.
        worker: The worker that it records for.
        previous: Recorder of the same worker before it, empty for the first.
        recorded: How many records that one had on disk when this one began.
    """

    recorder: str
    worker: int
    previous: str
    recorded: int


class Decided(_Record, frozen=True, gc=False, tag="decided"):
    """A decision, recorded before its call goes on.

    Attributes:
        id: Decision id, hex: the id of the event that this becomes.
        caller: Who asked.
        act: What.
        decision: What was decided.
    """

    id: str
    caller: Caller
    act: Act
    decision: Decision


class Ended(_Record, frozen=True, gc=False, tag="ended"):
    """How a call ended.

    Attributes:
        decided: Sequence number of its decision.
        end: What came back.
    """

    decided: int
    end: End


class Refusals(_Record, frozen=True, gc=False, omit_defaults=True, tag="refused"):
    """Requests turned away before a decision, alike and within one second.

    Attributes:
        why: The reason.
        count: How many.
        agent: Whose, empty where no caller was identified.
        server: Upstream server, empty where none is configured by that name.
        method: MCP method, empty where none was read.
    """

    why: str
    count: int
    agent: str = ""
    server: str = ""
    method: str = ""


class Kill(_Record, frozen=True, gc=False, tag="kill"):
    """An operator's kill took hold in a worker, or was taken back there.

    Attributes:
        subject: What may do nothing, e.g. `agent:declared/invoices`.
        revived: It was taken back.
    """

    subject: str
    revived: bool


class Visited(_Record, frozen=True, gc=False, omit_defaults=True, tag="visited"):
    """Somebody signed in at the web page, was refused, or signed out.

    Attributes:
        what: `sign-in` or `sign-out`.
        by: What vouched for them: `local`, or an issuer and its subject.
        person: Who it was, empty where nobody is named.
        roles: What they are there.
        why: Why they were refused, empty where they were not.
    """

    what: str
    by: str
    person: str = ""
    roles: tuple[str, ...] = ()
    why: str = ""


class Closed(_Record, frozen=True, gc=False, tag="closed"):
    """A recorder ended in order; nothing follows."""


class Exchanged(_Record, frozen=True, gc=False, omit_defaults=True, tag="exchanged"):
    """One attempt at the token service, whatever became of it.

    It is the edge from one credential to the next, and outlives both. What of it a
    requester could have written itself stands in `said` alone.

    Attributes:
        id: Id of the event that this becomes, hex.
        what: `exchange`, `ticket`, `introspect`, `revoke`, `login`.
        error: What the wire said, empty where something was given.
        reason: What did not hold, empty where something was given.
        issuer: Issuer of the subject token, as the configuration names it.
        kid: Key that signed it.
        subject: SHA-256 of the subject token, ticket or assertion, hex.
        actor: SHA-256 of the actor token, hex.
        claims: Claims that the rule looked at, pairs (path, value).
        attested: Facts of the attestation, pairs.
        attestor: Who attested, empty where nobody did.
        rule: Id of the rule.
        rule_digest: Of the rule as it stood.
        agent: Who acts from now on.
        person: Who it acts for, empty where for nobody.
        owner: Who answers for the agent.
        chain: Agents of the chain, root first.
        delegation: `dlg` of what was given.
        parent: `dlg` it is a part of.
        run: Name of the attested start.
        issued: SHA-256 of what was given, hex.
        jti: Of what was given.
        audience: Of what was given, or asked for.
        scopes: Of what was given.
        expires: NumericDate of what was given.
        bound: How it is bound: `dpop`, `mtls` or `bearer`.
        said: What the requester said of itself, pairs; shown, never believed.
    """

    id: str
    what: str
    error: str = ""
    reason: str = ""
    issuer: str = ""
    kid: str = ""
    subject: str = ""
    actor: str = ""
    claims: tuple[tuple[str, str], ...] = ()
    attested: tuple[tuple[str, str], ...] = ()
    attestor: str = ""
    rule: str = ""
    rule_digest: str = ""
    agent: str = ""
    person: str = ""
    owner: str = ""
    chain: tuple[str, ...] = ()
    delegation: str = ""
    parent: str = ""
    run: str = ""
    issued: str = ""
    jti: str = ""
    audience: str = ""
    scopes: tuple[str, ...] = ()
    expires: int = 0
    bound: str = ""
    said: tuple[tuple[str, str], ...] = ()


Record = Opened | Decided | Ended | Refusals | Kill | Exchanged | Visited | Closed
