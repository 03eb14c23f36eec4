"""Tiny permission platforms, and steps between them, as test doubles."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.answer_items import (
    build_condition_alternatives,
    build_determining_items,
    build_item_without_statements,
    build_path_hop_item,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    ConditionAtom,
    Formula,
    Verdict,
    conjoin_hops,
    get_verdict,
)
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    ConditionContext,
    DeterminingStatement,
    PageBounds,
    PathHop,
    PermissionEvaluator,
    PlatformScope,
    PolicyEdit,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

Grants = Mapping[str, Mapping[tuple[str, str], Formula]]


def classify(atom: ConditionAtom) -> tuple[str, str]:
    return "platform", ""


def step(origin: str, to: str, formula: Formula = TRUE, via: str = "login") -> PathHop:
    proof = DeterminingStatement("trust", f"trust of {to}", origin, "allow")
    return PathHop(origin, via, to, formula, (proof,))


@dataclass(frozen=True)
class TinyPlatform:
    """Platform whose ids begin with its name: who has a grant, and who becomes whom.

    `grants` has a line for each identity whose permissions were collected.
    """

    name: str
    grants: Grants
    steps: tuple[PathHop, ...] = ()
    kinds: tuple[str, ...] = field(default=("none",))

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self.name}:")

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        if not self.owns(resource):
            raise UsageError(f"no resource of {self.name} (got {resource!r})")
        return action, resource

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        return ()

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        return subject, context

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        return text if self.owns(text) else None

    def open(self, inventory: Inventory, question: Question) -> "TinyEvaluator":
        return TinyEvaluator(self)

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        raise UsageError("no edit")

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        return


@dataclass(frozen=True)
class TinyEvaluator:
    """Grants of a tiny platform."""

    platform: TinyPlatform

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        if start.identity in self.platform.grants:
            return start
        return UnknownSubject(start.identity, "was not scanned", self.platform.name)

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        return ()

    def name_credential_source(self, account: str) -> str:
        return self.platform.name

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterator[SubjectIdentity]:
        for start in starts:
            for path in self._walk(start):
                if path.identity in targets:
                    yield path

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterator[SubjectIdentity]:
        for start in self._list_all():
            found = (
                [] if start.subject in skipped else self.find_paths([start], targets)
            )
            paths = sorted(found, key=lambda e: any(h.formula != TRUE for h in e.hops))
            yield from paths[:1]

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        return start

    def _list_all(self) -> list[SubjectIdentity]:
        return [SubjectIdentity(e, IdentityId(e)) for e in self.platform.grants]

    def _walk(self, start: SubjectIdentity) -> Iterator[SubjectIdentity]:
        """Walk the steps: without conditions, then all."""
        seen: set[str] = set()
        for certain in (True, False):
            waiting, passed = [start], set[str]()
            while waiting:
                path = waiting.pop(0)
                if path.identity in passed:
                    continue
                passed.add(path.identity)
                if path.identity not in seen:
                    seen.add(path.identity)
                    yield path
                waiting += [
                    replace(path, identity=IdentityId(hop.to), hops=(*path.hops, hop))
                    for hop in self.platform.steps
                    if hop.origin == path.identity
                    and (hop.formula == TRUE or not certain)
                ]

    def evaluate(self, question: Question) -> Answer:
        call = question.action, question.resource
        found = [
            (path, path.identity)
            for start in question.identities
            for path in ([start] if question.direct else self._walk(start))
        ]
        if not found:
            item = build_item_without_statements(
                question.subject, *call, Verdict.NOT_KNOWN
            )
            return Answer(item)
        answers = [self._decide(path, identity, call) for path, identity in found]
        order = [Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NEVER]
        return min(answers, key=lambda each: order.index(each.verdict))

    def _decide(
        self, path: SubjectIdentity, identity: str, call: tuple[str, str]
    ) -> Answer:
        own = self.platform.grants[identity].get(call, FALSE)
        formula = conjoin_hops(*(hop.formula for hop in path.hops), own)
        item = build_item_without_statements(path.subject, *call, get_verdict(formula))
        if formula != FALSE:
            proof = DeterminingStatement("grant", identity, str(call), "allow")
            item["determining"] = build_determining_items([proof])
            item["conditions"] = build_condition_alternatives(
                formula, classify=classify
            )
            item["path"] = [
                build_path_hop_item(e, classify=classify) for e in path.hops
            ]
        return Answer(item)

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        calls = {call: None for each in self.platform.grants.values() for call in each}
        answers = [
            self.evaluate(replace(question, action=action, resource=resource))
            for action, resource in calls
        ]
        kept = [each for each in answers if each.verdict is not Verdict.NEVER]
        return AnswerList(tuple(kept))

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        answers = [
            self.evaluate(replace(question, subject=each.subject, identities=(each,)))
            for each in self._list_all()
        ]
        kept = [each for each in answers if each.verdict is not Verdict.NEVER]
        return AnswerList(tuple(kept[: page.rows or None]))

    def describe_scope(self) -> PlatformScope:
        name = self.platform.name
        return PlatformScope(len(self.platform.grants), (name,), (), name)


@dataclass(frozen=True)
class TinySteps:
    """Steps from one tiny platform to another."""

    origin: str
    target: str
    steps: tuple[PathHop, ...] = ()
    unknown: tuple[UnknownSubject, ...] = ()
    is_complete: bool = True

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        return CrossPlatformSteps(self.steps, self.unknown)
