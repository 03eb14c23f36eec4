"""Reach of all identities of a snapshot, for the rules on findings.

AWS identities are graded together, from the closure over all accounts. Identities of the
other platforms are listed one by one, when a rule first asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from answerable.model.documents.shared_shapes import PathItem
from answerable.model.errors import AnswerableError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.posture.facts import (
    EntryGap,
    IdentityReach,
    OutsideEntry,
    PlatformEntry,
)
from answerable.posture.severity import ReachLevel
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.aws import answer_items
from answerable.reach.aws.identity_exposure import AccountExposure, IdentityExposure
from answerable.reach.aws.permission_lists import list_uncollected_identities
from answerable.reach.aws.platform import AwsEvaluator
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.platform import has_estate
from answerable.reach.platform import PageBounds, Question, SubjectIdentity
from answerable.services.posture.sensitive_data import list_sensitive_reads
from answerable.services.reach.compiled_snapshots import let_waiting_queries_run
from answerable.services.reach.platform_registry import AWS, GCP, open_platforms

_READING = ("get", "list", "describe", "head", "batchget", "lookup", "view", "search")
_READ_ACTIONS = ("select", "read", "get", "list", "watch", "usage", "connect", "view")
_ROWS = 200
_CATALOGUED = ("k8s:", "github:", "postgres:")
_ADMIN_NAME = "admin"
_ADMIN_TEXT = "it is an administrator, or can become one"
_ADMIN_LATER_TEXT = "it can become an administrator under conditions"
_SOURCES = {"arn": "aws", "aws-sso": "aws", "postgres": "pg"}


@dataclass(eq=False, slots=False)
class SnapshotReach:
    """Reach of a snapshot's identities.

    Attributes:
        now: UTC nanoseconds.
    """

    inventory: Inventory
    now: int
    _known: dict[str, IdentityReach] = field(default_factory=dict)

    def get_reach(self, identity: str) -> IdentityReach:
        """Return the reach of an identity."""
        found = self._known.get(identity)
        if found is None:
            let_waiting_queries_run(self.inventory)
            found = self._known[identity] = self._compute_reach(identity)
        return found

    def list_administrators(self) -> Sequence[str]:
        """List the identities that are or can become administrators."""
        found = [key for key, each in self._index_exposures.items() if _is_admin(each)]
        found += [
            str(each.id)
            for each in self.inventory.facts.identities
            if self._is_catalogued(each.id)
            and self.get_reach(each.id).level is ReachLevel.ADMINISTRATOR
        ]
        return found

    def list_outside_entries(self) -> Sequence[OutsideEntry]:
        """List the roles whose trust policy admits outsiders."""
        return [
            OutsideEntry(
                key,
                each.entered_by,
                Verdict.ALWAYS not in (each.public, each.external),
            )
            for key, each in self._index_exposures.items()
            if each.entered_by
        ]

    def list_platform_entries(self) -> Sequence[PlatformEntry | EntryGap]:
        """List the grants to outsiders on other platforms, and what is not judged."""
        return self._platform_entries

    @cached_property
    def _platform_entries(self) -> Sequence[PlatformEntry | EntryGap]:
        """Read the grants of the catalogues once."""
        from answerable.services.posture.platform_entries import list_platform_entries

        return tuple(list_platform_entries(self.inventory))

    def find_administrator_path(self, identity: str) -> tuple[PathItem, ...]:
        """Return the steps to an administrator; empty for an administrator."""
        found, exposure = self._index_exposures.get(identity), self._grade_identities
        if found is None or exposure is None or not _is_admin(found):
            return ()
        return tuple(
            map(answer_items.build_path_item, exposure.find_exposure_path(found))
        )

    def _compute_reach(self, identity: str) -> IdentityReach:
        """Compute the reach of an identity."""
        found = self._index_exposures.get(identity)
        if found is not None and identity not in self._list_uncollected_identities:
            return self._grade_aws_identity(identity, found)
        if self._is_catalogued(identity):
            return self._grade_catalogued_identity(identity)
        return _build_unknown_reach(identity)

    def _grade_aws_identity(
        self, identity: str, exposure: IdentityExposure
    ) -> IdentityReach:
        """Grade an AWS identity: administrator, write or read."""
        if exposure.admin is Verdict.ALWAYS:
            return IdentityReach(ReachLevel.ADMINISTRATOR, _ADMIN_TEXT)
        if exposure.admin is Verdict.ONLY_IF:
            return IdentityReach(ReachLevel.ADMINISTRATOR, _ADMIN_LATER_TEXT)
        if read := self._find_sensitive_read(identity):
            return IdentityReach(ReachLevel.SENSITIVE, f"it can read {read}, tagged")
        if identity in self._list_writing_identities:
            return IdentityReach(ReachLevel.WRITE, "its policies allow changes")
        return IdentityReach(ReachLevel.READ, "its policies allow no change")

    def _find_sensitive_read(self, identity: str) -> str:
        """Return tagged data that an agent's identity can read; empty for none."""
        if self.query is None or not list_agents_by_identity_used(
            self.inventory, identity
        ):
            return ""
        evaluator = AwsEvaluator(self.query)
        start = SubjectIdentity(identity, IdentityId(identity))
        for action, resource in self._sensitive_reads:
            question = Question(
                self.now, identity, action, resource, identities=(start,)
            )
            if evaluator.evaluate(question).verdict in (
                Verdict.ALWAYS,
                Verdict.ONLY_IF,
            ):
                return resource
        return ""

    @cached_property
    def _sensitive_reads(self) -> Sequence[tuple[str, str]]:
        """List the calls that read tagged data."""
        return list_sensitive_reads(self.inventory)

    def _is_catalogued(self, identity: str) -> bool:
        """Return whether an identity is of a platform whose permissions are listed."""
        is_google = self._has_google_cloud and GCP.owns(identity)
        return is_google or identity.startswith(_CATALOGUED)

    def _grade_catalogued_identity(self, identity: str) -> IdentityReach:
        """Grade an identity of another platform by its permissions."""
        from answerable.reach import engine

        question = Question(self.now, identity)
        try:
            listed, _ = engine.list_permissions_of_subject(
                open_platforms(self.inventory, question), question, PageBounds(_ROWS)
            )
        except AnswerableError as error:
            return IdentityReach(ReachLevel.NOT_KNOWN, error.message, error.message)
        items = [each.item for each in listed.answers]
        admin = [each["verdict"] for each in items if each["admin"]]
        if admin:
            sure = "always" in admin
            return IdentityReach(
                ReachLevel.ADMINISTRATOR, _ADMIN_TEXT if sure else _ADMIN_LATER_TEXT
            )
        if not items or all(each["verdict"] == "not-known" for each in items):
            return _build_unknown_reach(identity)
        if all(
            each["action"].rpartition(".")[2].lower().startswith(_READ_ACTIONS)
            for each in items
            if each["verdict"] in ("always", "only-if")
        ):
            return IdentityReach(ReachLevel.READ, "its permissions allow no change")
        return IdentityReach(ReachLevel.WRITE, "its permissions allow changes")

    @cached_property
    def _has_google_cloud(self) -> bool:
        """Return whether the snapshot has policies of Google Cloud."""
        return has_estate(self.inventory)

    @cached_property
    def query(self) -> QueryContext | None:
        """Compile the collected accounts; None if no AWS identity is in the snapshot."""
        if not any(
            each.id.startswith("arn:") for each in self.inventory.facts.identities
        ):
            return None
        return AWS.build_permission_query(
            self.inventory, Question(self.now), compile_all=True
        )

    @cached_property
    def _grade_identities(self) -> AccountExposure | None:
        """Grade all AWS identities; None if their paths cannot be followed."""
        query = self.query
        return None if query is None or query.direct else AccountExposure(query.graph)

    @cached_property
    def _index_exposures(self) -> Mapping[str, IdentityExposure]:
        """Index the exposures of the collected AWS identities."""
        if self._grade_identities is None:
            return {}
        return {
            str(each.identity): each
            for each in self._grade_identities.list_identity_exposures()
            if str(each.identity) not in self._list_uncollected_identities
        }

    @cached_property
    def _list_uncollected_identities(self) -> frozenset[str]:
        """List the AWS identities whose permissions were not collected."""
        query = self.query
        if query is None:
            return frozenset()
        return frozenset(str(each.id) for each in list_uncollected_identities(query))

    @cached_property
    def _list_writing_identities(self) -> frozenset[str]:
        """List the AWS identities with a policy that allows a change."""
        facts = self.inventory.facts
        writing = {
            str(policy.id)
            for policy in facts.policies
            if any(
                each.effect is PolicyEffect.ALLOW
                and (each.not_actions or not all(map(_is_reading, each.actions)))
                for each in policy.statements
            )
        }
        known = facts.policies_by_id()
        return frozenset(
            each.target
            for each in facts.attachments
            if each.layer is PolicyLayer.IDENTITY
            # A policy that was not collected may allow anything.
            and (str(each.policy) in writing or str(each.policy) not in known)
        )


def _is_admin(exposure: IdentityExposure) -> bool:
    """Return whether an identity is or can become an administrator."""
    return exposure.admin is not Verdict.NEVER


def _is_reading(action: str) -> bool:
    """Return whether an action pattern names only actions that read."""
    return action.rpartition(":")[2].lower().startswith(_READING)


def _build_unknown_reach(identity: str) -> IdentityReach:
    """Build the reach of an identity whose permissions were not collected.

    A name can raise the level and never lowers it: an agent could have written it.
    """
    word = identity.partition(":")[0]
    source = f"{_SOURCES.get(word, word)}:FILE"
    missing = f"permissions of {identity}"
    if word == "aws-sso" and _ADMIN_NAME in identity.rpartition("/")[2].lower():
        return IdentityReach(
            ReachLevel.ADMINISTRATOR,
            "its permission set is an administrator by its name; its policies were not "
            "collected",
            missing,
            source,
        )
    return IdentityReach(
        ReachLevel.NOT_KNOWN, "its permissions were not collected", missing, source
    )
