"""Types of records that servers write to the spool: decisions, results, sign-ins.

A record holds digests and sizes of messages, never arguments, results or tokens. The
name of a tool, a prompt or a URI is the action itself and is kept.

These are msgspec structs, unlike the dataclasses in the rest of the model: a gateway
creates two per call, and a frozen dataclass costs five times as much.
"""

from enum import StrEnum

import msgspec

from answerable.model.baseline import AcceptedDeviation
from answerable.model.baseline_assessment import BaselineDeviation
from answerable.model.behaviour import UNKNOWN_ENVELOPE, CallObservation, RunEnvelope
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision, TargetKind


class CallOutcome(StrEnum):
    """Outcome of a forwarded call."""

    COMPLETED = "completed"  # the complete answer was relayed
    FAILED = "failed"  # the answer is an error of the tool or of the server
    CANCELLED = "cancelled"  # the server confirmed a cancellation
    UNKNOWN = "unknown"  # it may have happened or not
    UPSTREAM_ERROR = "upstream-error"  # no readable answer
    LEAKED = "leaked"  # the answer contained the upstream credential and was blocked
    WITHHELD = "withheld"  # never forwarded: unrecorded, revoked or cancelled first


class CallResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Result of a call.

    Attributes:
        status: HTTP status of the server, 0 without one.
        code: JSON-RPC error code, 0 without one.
        size: Bytes of the answer.
        sha256: Digest of the answer, hex; empty where none was read.
        state: SHA-256 of a returned `requestState`, hex.
        task: Id of a created task.
        inputs: Methods of requested client inputs.
        came: The result of a monitored call counts towards its behaviour.
        text: Bytes of text in the result of a monitored call.
        records: Records in it.
        untrusted: Outsiders may have written a part of it.
    """

    outcome: CallOutcome
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


class CallBehaviour(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Behaviour of a call: its entities, their origins and the baseline assessment.

    Attributes:
        seen: Observed call. Values that must not be kept are empty.
        identity: Identity whose profile applies; empty for none.
        span: Seconds over which runs of the agent count together.
        profile: Digest of the assessing profile, hex; empty for none.
        enforced: The assessment is enforced; otherwise it is shadow output.
        effect: Effect by the profile; empty without a profile.
        findings: Deviations, strictest first.
        amendment: The smallest change that would allow it; None where it is allowed.
    """

    seen: CallObservation
    identity: str = ""
    span: int = 0
    profile: str = ""
    enforced: bool = False
    effect: str = ""
    findings: tuple[BaselineDeviation, ...] = ()
    amendment: AcceptedDeviation | None = None
    envelope: RunEnvelope = UNKNOWN_ENVELOPE


class CallSummary(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Summary of a request without its arguments.

    Attributes:
        era: Revision of the protocol.
        method: MCP method, empty for a response and for a session's stream.
        server: Upstream server, as the configuration names it.
        target: Kind of thing that the method acts on.
        name: Tool, prompt, URI or task; empty for an unnamed target.
        watched: Subjects of a listen stream's change notifications.
        session: SHA-256 of the session id, hex; empty without one.
        state: SHA-256 of `requestState`, hex; links a retry to its original call.
        size: Bytes of the message.
        arguments: SHA-256 of the arguments as received, hex; empty without any.
        identity: Principal or credential (`cred:...`) that the upstream server sees;
            empty where we present none.
        credential: SHA-256 of the presented token, or the keyed fingerprint of another
            secret, hex.
        jti: Id of that token, empty without one.
        asked_by: Principal of the querying enforcement point, empty for ourselves.
        acted: Behaviour of the call; None without monitoring.
        trace: Trace id that the caller named, hex; empty without one.
    """

    era: str
    method: str
    server: str
    target: TargetKind
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
    acted: CallBehaviour | None = None
    trace: str = ""


class _SpoolRecord(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """Base of all spool records.

    Attributes:
        sequence: From 1, without a gap.
        at: UTC nanoseconds.
    """

    sequence: int
    at: int


class RecorderOpened(_SpoolRecord, frozen=True, gc=False, tag="opened"):
    """First record of a recorder.

    Attributes:
        recorder: Recorder name.
        worker: Recorded worker.
        previous: Preceding recorder of the same worker, empty for the first.
        recorded: Number of its records on disk when this one started.
    """

    recorder: str
    worker: int
    previous: str
    recorded: int


class DecisionRecord(_SpoolRecord, frozen=True, gc=False, tag="decided"):
    """Decision record, written before the call proceeds.

    Attributes:
        id: Decision id, hex; also the id of the resulting event.
    """

    id: str
    caller: VerifiedCaller
    act: CallSummary
    decision: Decision


class CallEndRecord(_SpoolRecord, frozen=True, gc=False, tag="ended"):
    """End of a call.

    Attributes:
        decided: Sequence number of its decision.
    """

    decided: int
    end: CallResult


class RefusalCountRecord(
    _SpoolRecord, frozen=True, gc=False, omit_defaults=True, tag="refused"
):
    """Count of like requests rejected before a decision, within one second.

    Attributes:
        agent: Calling agent, empty for an unidentified caller.
        server: Upstream server, empty where none is configured by that name.
        method: MCP method, empty where none was read.
    """

    why: str
    count: int
    agent: str = ""
    server: str = ""
    method: str = ""


class RevocationApplied(_SpoolRecord, frozen=True, gc=False, tag="kill"):
    """Revocation by an operator, applied or withdrawn in a worker.

    Attributes:
        subject: Revoked subject, e.g. `agent:declared/invoices`.
        revived: The revocation was withdrawn.
    """

    subject: str
    revived: bool


class SignInRecord(
    _SpoolRecord, frozen=True, gc=False, omit_defaults=True, tag="visited"
):
    """Sign-in, refused sign-in or sign-out at the web page.

    Attributes:
        what: `sign-in` or `sign-out`.
        by: Authentication: `local`, or an issuer and its subject.
        person: Person, empty for none.
        roles: Granted roles.
        why: Reason of a refusal, empty for none.
    """

    what: str
    by: str
    person: str = ""
    roles: tuple[str, ...] = ()
    why: str = ""


class RecorderClosed(_SpoolRecord, frozen=True, gc=False, tag="closed"):
    """Last record of a recorder that was closed properly."""


class ExchangeRecord(
    _SpoolRecord, frozen=True, gc=False, omit_defaults=True, tag="exchanged"
):
    """Attempt at the token service, granted or refused.

    It links one credential to the next and outlives both. Only `said` holds text that
    the requester could have written.

    Attributes:
        id: Id of the resulting event, hex.
        what: `exchange`, `ticket`, `introspect`, `revoke`, `login`.
        error: OAuth error code, empty for a granted request.
        reason: Failed check, empty for a granted request.
        issuer: Issuer of the subject token, as the configuration names it.
        kid: Signing key of the subject token.
        subject: SHA-256 of the subject token, ticket or assertion, hex.
        actor: SHA-256 of the actor token, hex.
        claims: Claims that the rule checked, pairs (path, value).
        attested: Facts of the attestation, pairs.
        attestor: Attestor, empty for none.
        rule: Id of the rule.
        rule_digest: Digest of the rule at that time.
        agent: Acting agent of the granted token.
        person: Person it acts for, empty for none.
        owner: Owner of the agent.
        chain: Agents of the chain, root first.
        delegation: `dlg` of the granted token.
        parent: Parent `dlg`.
        run: Name of the attested start.
        issued: SHA-256 of the granted token, hex.
        jti: `jti` of the granted token.
        audience: Granted or requested audience.
        scopes: Granted scopes.
        expires: Expiry of the granted token, NumericDate.
        bound: Token binding: `dpop`, `mtls` or `bearer`.
        said: Self-reported pairs of the requester; shown, never trusted.
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


SpoolRecord = (
    RecorderOpened
    | DecisionRecord
    | CallEndRecord
    | RefusalCountRecord
    | RevocationApplied
    | ExchangeRecord
    | SignInRecord
    | RecorderClosed
)
