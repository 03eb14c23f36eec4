"""Platforms of one question, opened on demand, with the steps between them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.inventory import CredentialEntity, Inventory
from answerable.reach.condition_formula import FALSE
from answerable.reach.cross_platform_steps import (
    CrossPlatformSteps,
    CrossPlatformStepSource,
    EnteredIdentities,
    UnscannedEntry,
    follow_steps,
)
from answerable.reach.lazy_tables import encode_groups, restore_groups
from answerable.reach.platform import (
    PathHop,
    PermissionEvaluator,
    PermissionPlatform,
    PlatformScope,
    Question,
    SubjectIdentity,
    UnknownIdentity,
    UnknownSubject,
)
from answerable.reach.subject_identities import (
    SubjectIdentities,
    find_identities_of_subject,
)

CROSS_PLATFORM_STEPS = "cross-platform-steps"  # word of coverage
_STORED_GROUPS = "platform_identities"  # file of the ids of each platform
IdentityGroups = Mapping[str, Sequence[Identity]]


@dataclass(slots=True)
class OpenPlatforms:
    """Platforms of one question; each is opened when an identity first needs it.

    Attributes:
        step_sources: Sources of the steps between platforms.
        edited: Evaluators by name of the platform, in place of those of the snapshot.
    """

    platforms: Sequence[PermissionPlatform]
    step_sources: Sequence[CrossPlatformStepSource]
    inventory: Inventory
    question: Question
    edited: Mapping[str, PermissionEvaluator] = field(default_factory=dict)
    opened: dict[str, PermissionEvaluator] = field(default_factory=dict)
    _listed: dict[tuple[str, str], CrossPlatformSteps] = field(default_factory=dict)

    def open(self, platform: PermissionPlatform) -> PermissionEvaluator:
        """Return the permission evaluator of a platform, created on first use."""
        if platform.name not in self.opened:
            self.opened[platform.name] = self.edited.get(
                platform.name
            ) or platform.open(self.inventory, self.question)
        return self.opened[platform.name]

    def find_platform(self, key: str, kind: str = "") -> PermissionPlatform | None:
        """Find the platform of an id by its format, else by its kind."""
        for each in self.platforms:
            if each.owns(key):
                return each
        fact = None if kind else self.inventory.facts.identities_by_id().get(key)
        kind = fact.kind if fact else kind
        known = (each for each in self.platforms if kind.startswith(each.kinds))
        return next(known, None) if kind else None

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Resolve an identity at its platform, or explain that none claims it."""
        platform = self.find_platform(start.identity)
        if platform is not None:
            return self.open(platform).resolve_identity(start)
        from answerable.reach.unknown_subjects import explain_unclaimed_identity

        fact = self.inventory.facts.identities_by_id().get(start.identity)
        return explain_unclaimed_identity(start.identity, fact.kind if fact else "")

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """List the steps by which a workflow's token enters an identity."""
        platform = self.find_platform(identity)
        return self.open(platform).list_entries(identity) if platform else ()

    def explain_credential(self, entity: CredentialEntity) -> UnknownSubject:
        """Explain why the identity of a credential is not known."""
        from answerable.reach.unknown_subjects import (
            explain_unknown_credential,
            find_source_of_identity,
        )

        kind = next((each.kind for each in entity.sightings if each.kind), "")
        account = next((s.account for s in entity.sightings if s.account), "")
        platform = self.find_platform(entity.id, kind)
        if platform is not None:
            source = self.open(platform).name_credential_source(account)
        else:
            source = find_source_of_identity(entity.id) or find_source_of_identity(
                entity.id, kind
            )
        return explain_unknown_credential(entity, source)

    def find_identities(self, subject: str) -> SubjectIdentities:
        """Find a subject's identities, and those it can become on other platforms."""
        found = find_identities_of_subject(self, self.inventory, subject)
        if self.question.direct:
            return found
        entered = follow_steps(found.starts, self.find_identities_on_other_platforms)
        return SubjectIdentities(
            (*found.starts, *entered.starts), (*found.apart, *entered.unknown)
        )

    def find_identities_on_other_platforms(
        self, starts: Sequence[SubjectIdentity]
    ) -> EnteredIdentities:
        """Find identities of other platforms that some identities reach in one step.

        The step is taken by an identity of `starts`, or by one that it can become.
        """
        by_platform: dict[str, list[SubjectIdentity]] = {}
        for start in starts:
            platform = self.find_platform(start.identity)
            if platform is not None:
                by_platform.setdefault(platform.name, []).append(start)
        return _join_entered(
            self._take_steps(source, by_platform[source.origin])
            for source in self.step_sources
            if source.origin in by_platform
        )

    def _take_steps(
        self, source: CrossPlatformStepSource, starts: Sequence[SubjectIdentity]
    ) -> EnteredIdentities:
        """Take the steps of a source from identities of its platform."""
        origin = next(each for each in self.platforms if each.name == source.origin)
        listed = self.list_steps(source, starts)
        by_origin: dict[str, list[PathHop]] = {}
        for step in listed.steps:
            if step.formula != FALSE:
                by_origin.setdefault(step.origin, []).append(step)
        found: list[SubjectIdentity] = []
        unknown = list(listed.unknown)
        targets = frozenset(map(IdentityId, by_origin))
        paths = self.open(origin).find_paths(starts, targets) if targets else ()
        for path in paths:
            for step in by_origin[path.identity]:
                hops = (*path.hops, step)
                start = SubjectIdentity(path.subject, IdentityId(step.to), hops)
                entered = self.resolve_identity(start)
                if isinstance(entered, SubjectIdentity):
                    found.append(entered)
                else:
                    unknown.append(entered)
        return EnteredIdentities(tuple(found), tuple(unknown))

    def list_steps(
        self, source: CrossPlatformStepSource, starts: Sequence[SubjectIdentity]
    ) -> CrossPlatformSteps:
        """List the steps of a source; once for an edit, whose steps no snapshot keeps."""
        question = replace(self.question, identities=tuple(starts))
        if not self.edited:
            return source.list_steps(self.inventory, question, {})
        key = source.origin, source.target
        if key not in self._listed:
            self._listed[key] = source.list_steps(self.inventory, question, self.edited)
        return self._listed[key]

    def list_unscanned_entries(
        self, source: CrossPlatformStepSource
    ) -> Iterator[UnscannedEntry]:
        """Yield the stated entries of a source, and the steps of undescribed identities."""
        listed = self.list_steps(source, ())
        yield from listed.unscanned
        described: dict[str, UnknownSubject | None] = {}
        for step in listed.steps:
            if step.formula == FALSE:
                continue
            if step.origin not in described:
                described[step.origin] = self._explain_undescribed(step.origin)
            missing = described[step.origin]
            if missing is not None:
                yield UnscannedEntry(IdentityId(step.to), missing)

    def _explain_undescribed(self, origin: str) -> UnknownSubject | None:
        """Explain that no scan describes an identity; None where one does.

        An identity that its scanned account does not hold does not exist.
        """
        found = self.resolve_identity(SubjectIdentity(origin, IdentityId(origin)))
        missing = found if isinstance(found, UnknownSubject) else found.unknown
        return None if missing is None or missing.absent else missing

    def is_modelled(
        self, origin: PermissionPlatform, target: PermissionPlatform
    ) -> bool:
        """Return whether any source lists the steps from one platform to another."""
        names = origin.name, target.name
        return origin is target or any(
            (source.origin, source.target) == names and source.is_complete
            for source in self.step_sources
        )

    def list_unmodelled(
        self, starts: Iterable[SubjectIdentity], target: PermissionPlatform
    ) -> dict[UnknownSubject, str]:
        """List the identities whose steps to a platform are not modelled.

        Returns:
            Each with the word of coverage.
        """
        found: dict[UnknownSubject, str] = {}
        for start in () if self.question.direct else starts:
            origin = self.find_platform(start.identity)
            if origin is None or origin is target:
                continue
            is_modelled = self.is_modelled(origin, target)
            if not is_modelled or not self.open(target).describe_scope().accounts:
                missing = _explain_unmodelled(
                    start.identity, origin, target, is_modelled=is_modelled
                )
                word = f"{CROSS_PLATFORM_STEPS} ({origin.name}, {target.name})"
                found[missing] = word
        return found

    def list_unmodelled_words(
        self, starts: Iterable[SubjectIdentity]
    ) -> frozenset[str]:
        """List the words of coverage for steps to all platforms with identities."""
        starts = tuple(starts)
        return frozenset(
            word
            for each in self.list_named_platforms()
            for word in self.list_unmodelled(starts, each).values()
        )

    def list_named_platforms(self) -> list[PermissionPlatform]:
        """List the platforms of which any source names identities."""
        names = self._group_identities()
        return [each for each in self.platforms if each.name in names]

    def list_crossing_words(self, platform: PermissionPlatform) -> frozenset[str]:
        """List the words of coverage for steps between a platform and collected ones."""
        names = self._group_identities()
        return frozenset(
            f"{CROSS_PLATFORM_STEPS} ({each.origin}, {each.target})"
            for each in self.step_sources
            if platform.name in (each.origin, each.target)
            and each.is_complete
            and each.origin in names
            and each.target in names
        )

    def describe_scope(self, target: PermissionPlatform) -> PlatformScope:
        """Describe a search over all identities, with those it does not evaluate."""
        scope = self.open(target).describe_scope()
        others = [each for each in self.platforms if each is not target]
        unknown = {
            each.subject.id: each
            for each in scope.unknown
            if not any(other.owns(each.subject.id) for other in others)
        }
        from answerable.reach.unknown_subjects import explain_unclaimed_identity

        identities = self._group_identities()
        for fact in identities.get("", ()):
            missing = explain_unclaimed_identity(fact.id, fact.kind)
            unknown.setdefault(fact.id, UnknownIdentity(missing, fact.kind))
        for origin in () if self.question.direct else others:
            if self.is_modelled(origin, target):
                for each in self._list_undescribed(origin, identities):
                    unknown.setdefault(each.subject.id, each)
            else:
                for fact in identities.get(origin.name, ()):
                    missing = _explain_unmodelled(
                        fact.id, origin, target, is_modelled=False
                    )
                    unknown[fact.id] = UnknownIdentity(missing, fact.kind)
        return replace(scope, unknown=tuple(unknown.values()))

    def _list_undescribed(
        self, origin: PermissionPlatform, identities: IdentityGroups
    ) -> Iterator[UnknownIdentity]:
        """Yield the identities of a platform of which no scan describes anything.

        Their own permissions could lead them to an identity of another platform.
        """
        mine = identities.get(origin.name, ())
        opened = self.open(origin) if mine else None
        if opened is None or opened.describe_scope().identities:
            return
        for fact in mine:
            start = opened.resolve_identity(SubjectIdentity(fact.id, fact.id))
            if isinstance(start, UnknownSubject):
                yield UnknownIdentity(start, fact.kind)

    def _group_identities(self) -> IdentityGroups:
        """Group the identities by the name of their platform, empty for none.

        The ids are stored, so that a question reads only the identities that it needs.
        """

        def group(inventory: Inventory) -> IdentityGroups:
            derived, facts = inventory.derived, inventory.facts
            stored = derived.load(_STORED_GROUPS) if derived else None
            if derived and stored is None:
                derived.save(_STORED_GROUPS, self._encode_identity_groups())
                stored = derived.load(_STORED_GROUPS)
            if stored is not None:
                return restore_groups(stored, facts.identities_by_id().__getitem__)
            found: dict[str, list[Identity]] = {}
            for fact in facts.identities:
                found.setdefault(self._name_platform(fact), []).append(fact)
            return found

        return self.inventory.get_or_compute_value("identities by platform", group)

    def _encode_identity_groups(self) -> dict[str, Iterable[tuple[str, object]]]:
        """Encode the ids of the identities of each platform; none is kept."""
        facts = self.inventory.facts
        sizes = Counter(map(self._name_platform, facts.iterate_identities()))

        def list_ids(name: str) -> Iterator[str]:
            for fact in facts.iterate_identities():
                if self._name_platform(fact) == name:
                    yield fact.id

        return encode_groups(sizes, list_ids)

    def _name_platform(self, fact: Identity) -> str:
        """Return the name of the platform of an identity; empty for none."""
        platform = self.find_platform(fact.id, fact.kind)
        return platform.name if platform else ""

    def select_identities(
        self, platform: PermissionPlatform, found: SubjectIdentities
    ) -> tuple[SubjectIdentity, ...]:
        """Select, of a subject's identities, those that belong to a platform."""
        return tuple(
            start
            for start in found.starts
            if self.find_platform(start.identity) is platform
        )


def _join_entered(parts: Iterable[EnteredIdentities]) -> EnteredIdentities:
    """Join identities that were entered by several sources of steps."""
    starts: list[SubjectIdentity] = []
    unknown: dict[UnknownSubject, None] = {}
    for part in parts:
        starts += part.starts
        unknown |= dict.fromkeys(part.unknown)
    return EnteredIdentities(tuple(starts), tuple(unknown))


def _explain_unmodelled(
    identity: IdentityId,
    origin: PermissionPlatform,
    target: PermissionPlatform,
    *,
    is_modelled: bool,
) -> UnknownSubject:
    """Explain that steps to a platform are not modelled, or that it was not scanned."""
    because = f"steps from {origin.name} to {target.name} are not modelled"
    if is_modelled:
        because = f"no scan describes identities of {target.name}, which it could enter"
    return UnknownSubject(identity, because, "")
