"""Name an issued credential in the platform's log, and record it as an audit event.

The event joins what the platform logs under the credential's id to the agent, the run
and the owner. It names credentials by their ids and contains no secret.
"""

import hashlib
import re

import msgspec

from answerable.model.credential_policy import (
    CredentialPlatform,
    CredentialPolicy,
    IssuedCredential,
    list_escaping_actions,
)
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.log_sources import CREDENTIAL_BROKER
from answerable.model.provenance import WrittenBy

RUN_ID = re.compile("[0-9a-f]{16}")  # of a run that `aws exec` starts
_FORBIDDEN = re.compile(r"[^\w+=,.@-]+", re.ASCII)
_MIN_NAME, _MAX_NAME = 2, 64


def build_session_name(agent: str, run: str) -> str:
    r"""Build the session name of an agent and a run.

    Source: AWS STS API Reference, AssumeRole: 2 to 64 of `[\w+=,.@-]`.
    """
    name = _clean_session_name(agent.removeprefix("agent:").removeprefix("declared/"))
    if not run:
        return name[:_MAX_NAME].ljust(_MIN_NAME, "-")
    return f"{name[: _MAX_NAME - 1 - len(run)]}-{run}"


def build_source_identity(person: str) -> str:
    """Build the source identity of a person; the same alphabet as a session name."""
    return _clean_session_name(person.removeprefix("person:"))[:_MAX_NAME].ljust(
        _MIN_NAME, "-"
    )


def _clean_session_name(text: str) -> str:
    """Replace characters that a session name may not have."""
    return _FORBIDDEN.sub("-", text)


def build_issuance_event(
    policy: CredentialPolicy,
    issued: IssuedCredential,
    *,
    run: str,
    reported_run: str,
    now: int,
) -> AuditEvent:
    """Build the event of an issued credential.

    Args:
        run: Run that this process itself started; empty for none.
        reported_run: Run as the agent's environment names it, which proves nothing.
        now: UTC nanoseconds.
    """
    facts = {
        "chain": policy.agent,
        "method": issued.method,
        "owner": policy.person,
        "policy": policy.digest,
        "self:run": reported_run,
    }
    pairs = tuple(sorted(pair for pair in facts.items() if pair[1]))
    raw = msgspec.json.encode(
        (policy.agent, issued.id, issued.expires, run, pairs, now)
    )
    return AuditEvent(
        event_id=build_event_id(
            now, CREDENTIAL_BROKER, policy.platform.value, issued.id.encode()
        ),
        event_time=now,
        source=CREDENTIAL_BROKER,
        scope=policy.platform.value,
        written_by=WrittenBy.MEDIATOR,
        raw_sha256=hashlib.sha256(raw).digest(),
        action=issued.method,
        outcome=EventOutcome.SUCCESS,
        native_id=issued.id,
        credential=issued.parent,
        issued=issued.id,
        issued_to=issued.identity,
        issued_until=issued.expires,
        run=run,
        facts=pairs,
        agent=policy.agent,
    )


def list_policy_limits(policy: CredentialPolicy) -> tuple[str, ...]:
    """List what a credential policy does not hold, a sentence each."""
    files = {
        CredentialPlatform.AWS: "~/.aws",
        CredentialPlatform.KUBERNETES: "your kubeconfig",
        CredentialPlatform.GITHUB: "the key of the GitHub App",
    }[policy.platform]
    limits = [
        f"a process of your user can read {files} and act as you: run the agent as "
        "another user, or in a container, to prevent that"
    ]
    if policy.platform is not CredentialPlatform.AWS:
        return tuple(limits)
    limits.append(
        "a resource policy that names the ARN of the session allows more than this "
        "policy"
    )
    escapes = list_escaping_actions(policy.document)
    if escapes:
        limits.append(
            f"{', '.join(escapes)}: this policy does not limit the resources that the "
            f"agent starts or changes with it"
        )
    limits.append(
        "the order, number and arguments of calls are not limited: only a gateway "
        "checks a baseline"
    )
    return tuple(limits)
