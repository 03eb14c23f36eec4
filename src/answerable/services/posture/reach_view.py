"""Reach of all identities of a snapshot, for the rules on findings.

AWS identities are graded together, from the closure over all accounts. Identities of the
other platforms are listed one by one, when a rule first asks.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from answerable.reach.aws.batched_exposure import ExposureRow
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled_graph import load_policy_attachments
from answerable.reach.aws.permission_lists import list_uncollected_identities
from answerable.reach.aws.platform import AwsEvaluator
from answerable.reach.aws.query_context import QueryContext, get_most_followed
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.platform import has_estate
from answerable.reach.platform import PageBounds, Question, SubjectIdentity
from answerable.services.posture.exposures import Exposures, load_exposures
from answerable.services.posture.sensitive_data import list_sensitive_reads
from answerable.services.reach.compiled_snapshots import let_waiting_queries_run
from answerable.services.reach.platform_registry import AWS, GCP, open_platforms

_READING = ("get", "list", "describe", "head", "batchget", "lookup", "view", "search")
_READ_ACTIONS = ("select", "read", "get", "list", "watch", "usage", "connect", "view")
_ROWS = 200
_MOST_KEPT = 65_536  # reaches and policies that stay in memory
_CATALOGUED = ("k8s:", "github:", "postgres:")
_ADMIN_NAME = "admin"
_ADMIN_TEXT = "it is an administrator, or can become one"
_ADMIN_LATER_TEXT = "it can become an administrator under conditions"
_CUT_TEXT = "steps to other identities: an account has too many to follow every path"
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
    _writing_policies: dict[str, bool] = field(default_factory=dict)

    def get_reach(self, identity: str) -> IdentityReach:
        """Return the reach of an identity."""
        found = self._known.get(identity)
        if found is None:
            let_waiting_queries_run(self.inventory)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            found = self._known[identity] = self._compute_reach(identity)
        return found

    def list_administrators(self) -> Iterator[str]:
        """List the identities that are or can become administrators."""
        for key, each in self._iterate_exposures():
            if _is_admin(each):
                yield key
        for name in self.inventory.facts.identities_by_id():
            if (
                self._is_catalogued(name)
                and self.get_reach(name).level is ReachLevel.ADMINISTRATOR
            ):
                yield name

    def list_outside_entries(self) -> Iterator[OutsideEntry]:
        """List the roles whose trust policy admits outsiders."""
        for key, each in self._iterate_exposures():
            if each.entered_by:
                yield OutsideEntry(key, each.entered_by, each.conditional)

    def list_platform_entries(self) -> Sequence[PlatformEntry | EntryGap]:
        """List the grants to outsiders on other platforms, and what is not judged."""
        return self._platform_entries

    def list_accounts_without_paths(self) -> Sequence[str]:
        """List the accounts with paths that end where identities are too many."""
        return sorted(
            {
                get_arn_account(key)
                for key, each in self._iterate_exposures()
                if each.admin is Verdict.NOT_KNOWN
            }
        )

    @cached_property
    def _platform_entries(self) -> Sequence[PlatformEntry | EntryGap]:
        """Read the grants of the catalogues once."""
        from answerable.services.posture.platform_entries import list_platform_entries

        return tuple(list_platform_entries(self.inventory))

    def find_administrator_path(self, identity: str) -> tuple[PathItem, ...]:
        """Return the steps to an administrator; empty for an administrator."""
        found = self._find_exposure(identity)
        if self._exposures is None or found is None or not _is_admin(found):
            return ()
        return self._exposures.find_path(identity)

    def _find_exposure(self, identity: str) -> ExposureRow | None:
        """Return the exposure of a collected AWS identity; None for another one."""
        if identity in self._list_uncollected_identities:
            return None
        return None if self._exposures is None else self._exposures.rows.get(identity)

    def _compute_reach(self, identity: str) -> IdentityReach:
        """Compute the reach of an identity."""
        found = self._find_exposure(identity)
        if found is not None:
            return self._grade_aws_identity(identity, found)
        if self._is_catalogued(identity):
            return self._grade_catalogued_identity(identity)
        return _build_unknown_reach(identity)

    def _grade_aws_identity(
        self, identity: str, exposure: ExposureRow
    ) -> IdentityReach:
        """Grade an AWS identity: administrator, write or read."""
        if exposure.admin is Verdict.ALWAYS:
            return IdentityReach(ReachLevel.ADMINISTRATOR, _ADMIN_TEXT)
        if exposure.admin is Verdict.ONLY_IF:
            return IdentityReach(ReachLevel.ADMINISTRATOR, _ADMIN_LATER_TEXT)
        if exposure.admin is Verdict.NOT_KNOWN:
            return IdentityReach(ReachLevel.NOT_KNOWN, _CUT_TEXT, _CUT_TEXT)
        if read := self._find_sensitive_read(identity):
            return IdentityReach(ReachLevel.SENSITIVE, f"it can read {read}, tagged")
        if self._may_write(identity):
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
        names = self.inventory.facts.identities_by_id()
        if not any(each.startswith("arn:") for each in names):
            return None
        follows = len(names) <= get_most_followed(self.inventory)
        return AWS.build_permission_query(
            self.inventory, Question(self.now), compile_all=follows
        )

    @cached_property
    def _exposures(self) -> Exposures | None:
        """Load the exposures; None if no AWS identity is in the snapshot."""
        if self.query is None:
            return None
        return load_exposures(self.inventory, self.query)

    def _iterate_exposures(self) -> Iterator[tuple[str, ExposureRow]]:
        """Yield the exposures of the collected AWS identities."""
        if self._exposures is None:
            return
        for key, each in self._exposures.rows.items():
            if key not in self._list_uncollected_identities:
                yield key, each

    @cached_property
    def _list_uncollected_identities(self) -> frozenset[str]:
        """List the AWS identities whose permissions were not collected."""
        query = self.query
        if query is None:
            return frozenset()
        return frozenset(str(each.id) for each in list_uncollected_identities(query))

    def _may_write(self, identity: str) -> bool:
        """Return whether a policy of an identity allows a change.

        A policy that was not collected may allow anything.
        """
        attached = self._attached_policies.get(
            f"{PolicyLayer.IDENTITY}\n{identity}", ()
        )
        return any(map(self._may_policy_write, attached))

    @cached_property
    def _attached_policies(self) -> Mapping[str, Sequence[str]]:
        """Open the index of attached policies."""
        return load_policy_attachments(self.inventory)

    def _may_policy_write(self, key: str) -> bool:
        """Return whether a policy allows a change, or was not collected."""
        found = self._writing_policies.get(key)
        if found is None:
            policy = self.inventory.facts.policies_by_id().get(key)
            found = policy is None or any(
                each.effect is PolicyEffect.ALLOW
                and (bool(each.not_actions) or not all(map(_is_reading, each.actions)))
                for each in policy.statements
            )
            if len(self._writing_policies) >= _MOST_KEPT:
                self._writing_policies.clear()
            self._writing_policies[key] = found
        return found


def _is_admin(exposure: ExposureRow) -> bool:
    """Return whether an identity is or can become an administrator."""
    return exposure.admin in (Verdict.ALWAYS, Verdict.ONLY_IF)


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
