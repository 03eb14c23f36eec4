"""Logs that cover an identity's calls: by its platform, account, cluster or project.

A gap is closed only by the log that records every call of the identity. What is not
certain leaves it open.
"""

from dataclasses import dataclass
from functools import cached_property

from answerable.model import github_ids, google_cloud_ids, kubernetes_ids
from answerable.model.inventory import Inventory
from answerable.model.time_units import DAY_NS
from answerable.posture.facts import NO_LOG
from answerable.presentation.answer_coverage import format_time
from answerable.store.event_gaps import read_incomplete_days
from answerable.store.event_queries import END_OF_TIME, LogSpan, read_log_spans
from answerable.store.recorded_days import read_recorded_days
from answerable.store.store import EvidenceStore

MAX_AGE_DAYS = 30  # of the newest event of a log that still covers calls
_ACCOUNT_FIELD = 4  # of an ARN
_PROJECT = "//cloudresourcemanager.googleapis.com/projects/"


@dataclass(frozen=True, slots=True)
class RequiredLogs:
    """Logs that together record every call of an identity.

    Attributes:
        source: Log source.
        scopes: Accounts, clusters, organizations or projects; empty if not known.
        in_words: Kind of the scope.
    """

    source: str
    scopes: tuple[str, ...]
    in_words: str


@dataclass(eq=False)
class LogCoverageView:
    """Coverage of the identities of an inventory by the ingested logs.

    Attributes:
        now: UTC nanoseconds.
    """

    store: EvidenceStore
    inventory: Inventory
    now: int

    def get_span(self, identity: str) -> LogSpan | None:
        """Return the time span that the logs of an identity share; None without one."""
        required = self._list_required_logs(identity)
        if required is None or not required.scopes:
            return None
        found = [
            self._log_spans.get((required.source, each)) for each in required.scopes
        ]
        spans = [each for each in found if each is not None]
        if len(spans) < len(found):
            return None
        return LogSpan(
            max(each.since for each in spans),
            min(each.until for each in spans),
            all(each.api_requests for each in spans),
        )

    def list_complete_days(self, identity: str) -> frozenset[int]:
        """List the UTC days since 1970 of which the store has the log of an identity.

        A day without events may lack a file, and is left out; and so is a day of which
        events were removed or cannot be read.
        """
        required = self._list_required_logs(identity)
        if required is None or not required.scopes:
            return frozenset()
        of_scopes = [
            self._complete_days.get((required.source, each), frozenset())
            for each in required.scopes
        ]
        return frozenset.intersection(*of_scopes)

    def find_log_gap(self, identity: str) -> str:
        """Name the evidence that an identity's calls lack; empty if a log covers them."""
        required = self._list_required_logs(identity)
        if required is None or not required.scopes:
            return NO_LOG
        for scope in required.scopes:
            span = self._log_spans.get((required.source, scope))
            where = f"{required.in_words} {scope}"
            if span is None:
                one = len(required.scopes) == 1
                return NO_LOG if one else f"no log of {where} was ingested"
            if self.now - span.until > MAX_AGE_DAYS * DAY_NS:
                return f"the log of {where} ends on {format_time(span.until)[:10]}"
            if required.source == "github-audit" and not span.api_requests:
                return f"the log of {where} has no API requests"
        return ""

    @property
    def sources(self) -> frozenset[str]:
        """Return the sources of the ingested logs."""
        return frozenset(source for source, _ in self._log_spans)

    @cached_property
    def _log_spans(self) -> dict[tuple[str, str], LogSpan]:
        """Read the logged time by source and scope."""
        return read_log_spans(self.store)

    @cached_property
    def _complete_days(self) -> dict[tuple[str, str], frozenset[int]]:
        """Read the days with events, by source and scope, that lack no known event."""
        incomplete = read_incomplete_days(self.store)
        if incomplete is None:
            return {}
        found: dict[tuple[str, str], frozenset[int]] = {}
        for stream, days in read_recorded_days(self.store, 0, END_OF_TIME).items():
            key = stream.source, stream.scope
            known = found.get(key, frozenset())
            found[key] = known | {d for d in days if d <= self.now // DAY_NS}
        return {key: days - incomplete for key, days in found.items()}

    @cached_property
    def _scanned_projects(self) -> tuple[str, ...]:
        """List the scanned projects of Google Cloud."""
        names = self.inventory.facts.resources_by_id()
        return tuple(
            sorted(n.removeprefix(_PROJECT) for n in names if n.startswith(_PROJECT))
        )

    @cached_property
    def _scanned_organizations(self) -> tuple[str, ...]:
        """List the scanned organizations of GitHub."""
        found = {
            subject.organization
            for name in self.inventory.facts.identities_by_id()
            if (subject := github_ids.parse_subject_id(name)) is not None
        }
        return tuple(sorted(found - {""}))

    def _list_required_logs(self, identity: str) -> RequiredLogs | None:
        """List the logs that record every call of an identity; None if none does."""
        if google_cloud_ids.is_service_account(identity):
            own = google_cloud_ids.get_project_of_service_account(identity)
            known = self._scanned_projects
            scopes = (*known, own) if known and own not in (*known, "") else known
            return RequiredLogs("gcp-audit", scopes, "project")
        if identity.startswith(kubernetes_ids.PREFIX):
            subject = kubernetes_ids.parse_subject_id(identity)
            scopes = (subject.cluster,) if subject else ()
            return RequiredLogs("k8s-audit", scopes, "cluster")
        if identity.startswith(github_ids.PREFIX):
            actor = github_ids.parse_subject_id(identity)
            if actor is None:
                return None
            # Users and apps act in several organizations.
            own_org = (actor.organization,) if actor.organization else ()
            return RequiredLogs(
                "github-audit", own_org or self._scanned_organizations, "organization"
            )
        account = _get_account(identity)
        return RequiredLogs("cloudtrail", (account,), "account") if account else None


def _get_account(identity: str) -> str:
    """Return the AWS account of an identity; empty for another platform's."""
    if identity.startswith("arn:"):
        return [*identity.split(":", _ACCOUNT_FIELD + 1), "", "", "", ""][
            _ACCOUNT_FIELD
        ]
    if identity.startswith("aws-sso:"):
        return identity.removeprefix("aws-sso:").partition("/")[0]
    return ""
