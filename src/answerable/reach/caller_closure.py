"""Closure of the callers on all platforms that enter identities of one of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.cross_platform_steps import EnteredIdentities, UnscannedEntry
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import (
    PathHop,
    PermissionEvaluator,
    PermissionPlatform,
    SubjectIdentity,
    UnknownSubject,
)

CERTAIN, CONDITIONAL, UNKNOWN = range(3)
Grade = Callable[[IdentityId], int | None]


@dataclass(frozen=True, slots=True)
class _EnteringPath:
    """Path of a caller to an identity of the target platform.

    Attributes:
        grade: Grade of the entered identity, and of the conditions of the path.
        entered: The entered identity; its hops lead from the caller to it.
        others: Steps to other platforms that the caller could take instead of its own.
    """

    grade: int
    entered: SubjectIdentity
    others: "_Origins | None" = None


@dataclass(frozen=True, slots=True)
class _Origin:
    """Identity that takes a step to another platform, with the path from there."""

    grade: int
    step: PathHop
    path: _EnteringPath


_Origins = Mapping[IdentityId, _Origin]
_Paths = Mapping[str, _EnteringPath]


@dataclass(slots=True)
class CallerClosure:
    """Callers that can enter identities of a platform, each with its best path.

    The search goes back from the entered identities, one step between platforms at a
    time: first without conditions, then with conditions, then to identities whose
    permissions are not known. A caller keeps the first path that is found.

    Attributes:
        target: Platform of the entered identities.
        grade: Grades what an entered identity can do: `CERTAIN`, `CONDITIONAL`,
            `UNKNOWN`, or None for nothing.
    """

    opened: OpenPlatforms
    target: PermissionPlatform
    grade: Grade
    _steps: dict[str, list[PathHop]] = field(default_factory=dict)
    _entered: dict[IdentityId, SubjectIdentity] = field(default_factory=dict)
    _unknown: dict[UnknownSubject, None] = field(default_factory=dict)
    _callers: dict[str, _EnteringPath] = field(default_factory=dict)
    _unscanned: list[UnscannedEntry] = field(default_factory=list)

    def compute(self) -> EnteredIdentities:
        """Compute the identities that callers enter, one for each caller that can.

        Each caller has one path: its best, unconditional before conditional, and among
        these the one with the fewest steps.
        """
        self._list_steps()
        graded = {
            key: _EnteringPath(grade, start)
            for key, start in self._entered.items()
            if self.opened.find_platform(key) is self.target
            and (grade := self.grade(key)) is not None
        }
        levels: list[dict[str, _EnteringPath]] = []
        for last in (CERTAIN, CONDITIONAL, UNKNOWN):
            front: _Paths = {k: p for k, p in graded.items() if p.grade <= last}
            level = 0
            while front:
                found = self._go_back(front, last)
                if level == len(levels):
                    levels.append({})
                levels[level] |= found
                front, level = levels[level], level + 1
        starts = tuple(path.entered for path in self._callers.values())
        return EnteredIdentities(starts, tuple(self._unknown))

    def list_unscanned(self) -> tuple[UnknownSubject, ...]:
        """List the places without a scan from which callers enter the target."""
        entered = (
            each
            for each in self._unscanned
            if each.identity in self._callers
            or (
                self.opened.find_platform(each.identity) is self.target
                and self.grade(each.identity) is not None
            )
        )
        return tuple(dict.fromkeys(each.missing for each in entered))

    def _list_steps(self) -> None:
        """List the steps between platforms that may lead to the target, by their end."""
        leading = {self.target.name}
        sources = self.opened.step_sources
        for _ in sources:
            leading |= {each.origin for each in sources if each.target in leading}
        unresolved: dict[UnknownSubject, list[str]] = {}
        resolved: dict[str, SubjectIdentity | UnknownSubject] = {}
        for source in sources:
            if source.target not in leading:
                continue
            listed = self.opened.list_steps(source, ())
            self._unknown |= dict.fromkeys(listed.unknown)
            self._unscanned += self.opened.list_unscanned_entries(source)
            for step in listed.steps:
                if step.formula == FALSE:
                    continue
                end = resolved.get(step.to)
                if end is None:
                    start = SubjectIdentity(step.to, IdentityId(step.to))
                    end = resolved[step.to] = self.opened.resolve_identity(start)
                if isinstance(end, UnknownSubject):
                    unresolved.setdefault(end, []).append(step.origin)
                else:
                    self._entered.setdefault(end.identity, end)
                    self._steps.setdefault(end.identity, []).append(step)
        for missing, origins in unresolved.items():
            if self._is_reached(origins):
                self._unknown[missing] = None

    def _is_reached(self, origins: Sequence[str]) -> bool:
        """Return whether any caller is, or becomes, one of some identities."""
        return any(
            next(iter(evaluator.find_nearest_paths({IdentityId(each)}, ())), None)
            for each in dict.fromkeys(origins)
            if (evaluator := self._find_evaluator(each)) is not None
        )

    def _find_evaluator(self, identity: str) -> PermissionEvaluator | None:
        """Find the evaluator of an identity's platform."""
        platform = self.opened.find_platform(identity)
        return self.opened.open(platform) if platform else None

    def _go_back(self, front: _Paths, last: int) -> dict[str, _EnteringPath]:
        """Find the callers that take one more step between platforms.

        Args:
            front: Identities that are entered, each with its path.
            last: Worst grade of a path.
        """
        origins: dict[str, dict[IdentityId, _Origin]] = {}
        for key, path in front.items():
            for step in self._steps.get(key, ()):
                platform = self.opened.find_platform(step.origin)
                if platform is None:
                    continue
                mine = origins.setdefault(platform.name, {})
                for origin in self._join_step_to_path(step, path):
                    if origin.grade <= last:
                        mine.setdefault(IdentityId(step.origin), origin)
        found: dict[str, _EnteringPath] = {}
        for platform in self.opened.platforms:
            mine = origins.get(platform.name, {})
            if mine:
                found |= self._find_callers(self.opened.open(platform), mine, last)
        return found

    def _find_callers(
        self, evaluator: PermissionEvaluator, origins: _Origins, last: int
    ) -> dict[str, _EnteringPath]:
        """Find the callers of a platform that are, or become, the origin of a step."""
        found: dict[str, _EnteringPath] = {}
        for path in evaluator.find_nearest_paths(origins.keys(), self._callers):
            if path.subject in self._callers:
                continue
            origin = origins[path.identity]
            grade = _grade_steps(origin.grade, path.hops)
            if grade > last or origin.path.entered.identity == path.subject:
                continue
            hops = (*path.hops, origin.step, *origin.path.entered.hops)
            entered = replace(origin.path.entered, subject=path.subject, hops=hops)
            others = None if path.hops else origins
            made = _EnteringPath(grade, entered, others)
            found[path.subject] = self._callers[path.subject] = made
        return found

    def _join_step_to_path(
        self, step: PathHop, path: _EnteringPath
    ) -> Iterator[_Origin]:
        """Join a step to the path of the identity that it enters.

        The identity may have to do more than it does for itself to take its next step.
        """
        yield_plain = True
        if path.others is not None:
            evaluator = self._find_evaluator(path.entered.subject)
            key = IdentityId(path.entered.subject)
            start = SubjectIdentity(step.origin, key, (step,))
            if evaluator is not None and evaluator.continue_from(start) != start:
                yield_plain = False
                for each in evaluator.find_paths([start], path.others.keys()):
                    yield _join_to_origin(each, path.others[each.identity])
        if yield_plain:
            yield _Origin(_grade_steps(path.grade, (step,)), step, path)


def _join_to_origin(start: SubjectIdentity, origin: _Origin) -> _Origin:
    """Join the steps to the origin of a step to another platform, with its path."""
    first, *more = start.hops
    hops = (*more, origin.step, *origin.path.entered.hops)
    entered = replace(origin.path.entered, subject=start.identity, hops=hops)
    grade = _grade_steps(origin.grade, start.hops)
    return _Origin(grade, first, _EnteringPath(grade, entered))


def _grade_steps(grade: int, steps: Sequence[PathHop]) -> int:
    """Grade steps before a path of some grade."""
    certain = all(step.formula == TRUE for step in steps)
    return grade if certain else max(grade, CONDITIONAL)
