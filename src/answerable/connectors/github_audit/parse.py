"""Parse events of GitHub's audit log.

Sources: GitHub Docs, "Audit log events for your organization" and "Identifying audit log
events performed by an access token" (docs.github.com/en/enterprise-cloud@latest/admin/
monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/): the
field `hashed_token` is the SHA-256 of the token, in Base64; `programmatic_access_type` is
the kind of credential. GitHub writes the log; `actor_is_agent` and the user behind an
agent are shown as facts and set no hop.
"""

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    build_record_parser,
    text_of,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.connectors.github_audit.declaration import DECLARATION
from answerable.model.event import EventOutcome
from answerable.model.github_ids import GitHubResource, GitHubSubject
from answerable.model.ids import build_token_credential_id

_BOT_SUFFIX = "[bot]"
_DIGEST_BYTES = 32
# The log lists what happened; these parts of an action's name say that it did not.
_OUTCOMES = (
    ("rejected", EventOutcome.DENIED),
    ("denied", EventOutcome.DENIED),
    ("blocked", EventOutcome.DENIED),
    ("failed", EventOutcome.ERROR),
    ("failure", EventOutcome.ERROR),
)


class GitHubAuditRecord(msgspec.Struct):
    """Event of the audit log, with only the fields that are read."""

    timestamp: int | float | str | None = msgspec.field(name="@timestamp", default=None)
    created_at: int | float | str | None = None
    document_id: str | None = msgspec.field(name="_document_id", default=None)
    action: str | None = None
    actor: str | None = None
    actor_id: Any = None
    actor_ip: str | None = None
    actor_is_agent: Any = None
    agent_session_id: Any = None
    business: str | None = None
    external_identity_nameid: str | None = None
    hashed_token: str | None = None
    integration: str | None = None
    operation_type: str | None = None
    org: Any = None
    programmatic_access_type: str | None = None
    repo: str | None = None
    repository: str | None = None
    request_id: str | None = None
    token_id: Any = None
    token_scopes: str | None = None
    user: str | None = None
    user_agent: str | None = None
    workflow_run_id: Any = None


def _read_record(
    record: GitHubAuditRecord, options: LogOptions
) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    if not record.action:
        return RecordRefused("not a GitHub audit event: it has no action")
    host = options.get("host", "")
    organization = _get_organization(record)
    is_agent = text_of(record.actor_is_agent)
    return LogEntry(
        time=record.timestamp or record.created_at,
        action=f"github:{record.action}",
        outcome=_get_outcome(record.action),
        native_id=record.document_id or "",
        scope=organization or record.business or host or "github.com",
        identity=_build_identity(record.actor, host),
        credential=_build_credential(record),
        person=build_person_of_address(record.external_identity_nameid),
        resources=_list_resources(
            record.repo or record.repository or "", organization, host
        ),
        source_ip=record.actor_ip or "",
        facts={
            "actor_id": text_of(record.actor_id),
            "actor_is_agent": is_agent if is_agent != "False" else "",
            "agent_session": text_of(record.agent_session_id),
            "authenticated_by": record.programmatic_access_type,
            "integration": record.integration,
            "operation": record.operation_type,
            "request_id": record.request_id,
            "scopes": record.token_scopes,
            "self:user_agent": record.user_agent,
            "token_id": text_of(record.token_id),
            "user": record.user,
            "workflow_run": text_of(record.workflow_run_id),
        },
    )


def _get_organization(record: GitHubAuditRecord) -> str:
    """Return the organization of an event; the owner of its repository otherwise."""
    named = record.org
    if isinstance(named, list) and named:
        named = named[0]
    return text_of(named) or (record.repo or "").partition("/")[0]


@lru_cache(maxsize=4096)
def _get_outcome(action: str) -> EventOutcome:
    """Return the outcome by the name of the action."""
    name = action.rpartition(".")[2]
    return next((of for part, of in _OUTCOMES if part in name), EventOutcome.SUCCESS)


@lru_cache(maxsize=4096)
def _build_identity(actor: str | None, host: str) -> str:
    """Build the identity of an actor; a name that ends in `[bot]` is an app's."""
    if not actor:
        return ""
    if actor.endswith(_BOT_SUFFIX):
        return str(GitHubSubject("app", actor.removesuffix(_BOT_SUFFIX), host=host))
    return str(GitHubSubject("user", actor.lower(), host=host))


def _build_credential(record: GitHubAuditRecord) -> str:
    """Build the id of the token by its SHA-256, or by GitHub's number for it."""
    try:
        digest = base64.b64decode(record.hashed_token or "", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) == _DIGEST_BYTES:
        return build_token_credential_id(digest)
    number = text_of(record.token_id)
    return f"cred:github-token/{number}" if number else ""


@lru_cache(maxsize=4096)
def _list_resources(repository: str, organization: str, host: str) -> Sequence[str]:
    """List the repository of an event, or its organization."""
    owner, _, name = repository.partition("/")
    if owner and name:
        return (str(GitHubResource(owner, "repo", name, host=host)),)
    if organization:
        return (str(GitHubResource(organization, "organization", host=host)),)
    return ()


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "GitHub audit",
    build_record_parser(DECLARATION, GitHubAuditRecord, _read_record, ("actor",)),
)
