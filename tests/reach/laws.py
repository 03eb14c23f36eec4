"""Laws: the engine equals the reference evaluation.

`run(count, seed)` holds the engine to the law of calls on that many generated cases.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings

from answerable.model.ids import IdentityId
from answerable.model.sighting import SightedFacts
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled import external_callers
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION_ACTIONS
from answerable.reach.aws.evaluation import single_request
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import matches_arn, split_arn
from answerable.reach.aws.patterns.glob_matching import matches_glob
from answerable.reach.aws.permission_rows import callable_rows
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    RowFilter,
    parse_row_filter,
)
from answerable.reach.aws.who_can import list_all_callers_by_severity
from answerable.reach.condition_formula import (
    TOO_MANY,
    ConditionAtom,
    Formula,
    get_verdict,
)
from tests.reach.account_builder import catalogue
from tests.reach.strategies_cases import Call, ReachCase, cases
from tests.reference.reach import paths as spec_paths
from tests.reference.reach import request as spec
from tests.reference.reach.facts import UNCOLLECTED, Subject, World
from tests.reference.reach.principals import (
    AnonymousCaller,
    ForeignCaller,
    ServiceCaller,
)

Calls = list[tuple[str, str]]
Keys = dict[str, tuple[str, ...]]
Judge = Callable[[spec.Situation], bool]

WORDS = ("always", "only-if", "never")
CHUNK = 1_000
"""Examples of one run of Hypothesis; it remembers each, so a run does not grow."""


@dataclass
class LawRun:
    """What a run of the law saw.

    Attributes:
        seed: Of the first thousand examples; each further thousand adds one.
        cases: Examples.
        verdicts: Answers compared, by verdict.
        situations: Situations compared.
    """

    seed: int
    cases: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    situations: int = 0


def run(count: int, first: int) -> LawRun:
    """Hold the engine to the law of calls.

    Args:
        count: Cases to generate, in thousands rounded up.
        first: Seed.

    Raises:
        AssertionError: The engine and the readable rules differ; Hypothesis prints the
            case.
    """
    told = LawRun(first)
    for number in range(-(-count // CHUNK)):
        _chunk(told, min(count, CHUNK), first + number)
    return told


def _chunk(told: LawRun, count: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def law(case: ReachCase) -> None:
        told.cases += 1
        for word, situations in case_agrees(case):
            told.verdicts[word] += 1
            told.situations += situations

    law()


def compiled(facts: SightedFacts, stated: Keys) -> CompiledAccounts:
    """An estate of facts and stated keys."""
    return compile_accounts(facts, catalogue(), stated_keys=_known(stated))


def _known(stated: Keys) -> ContextKeys:
    return ContextKeys(stated) if stated else NO_KEYS


def estate_of(case: ReachCase) -> CompiledAccounts:
    """The engine's view of a case."""
    return compile_accounts(
        case.facts,
        catalogue(),
        stated_keys=_known(case.given),
        tags_collected=case.tags_collected,
        session=case.session,
        endpoint=case.endpoint,
    )


def world_of(case: ReachCase) -> World:
    """The readable rules' view of a case."""
    return World(
        case.facts,
        catalogue(),
        case.given,
        case.session,
        case.endpoint,
        case.tags_collected,
    )


def holds(formula: Formula, situation: spec.Situation, otherwise: bool) -> bool:
    """Evaluate a formula in a situation; what it leaves open is as said."""

    def true(key: str, operator: str, values: tuple[str, ...]) -> bool:
        question = (key.lower(), operator.lower(), tuple(sorted(set(values))))
        return situation.answers.get(question, otherwise)

    return any(
        all(true(a.key, a.operator, a.values) != a.negated for a in alternative)
        for alternative in formula
    )


def says_the_same(formula: Formula, judge: Judge) -> tuple[str, int]:
    """Compare one answer in every situation; give the verdict and their number.

    A formula that outgrew its bounds says `only-if` of what may be surer.
    """
    opaque = any(a.key == TOO_MANY for alternative in formula for a in alternative)
    seen, situations = set(), 0
    for situation, expected in spec.iterate_outcomes(judge):
        seen.add(expected)
        situations += 1
        for otherwise in () if opaque else (True, False):
            assert holds(formula, situation, otherwise) == expected
    word = "only-if" if len(seen) > 1 else "always" if True in seen else "never"
    assert get_verdict(formula) == ("only-if" if opaque else word)
    return word, situations


def calls_agree(facts: SightedFacts, stated: Keys, calls: Calls) -> None:
    """The law for single requests of identities."""
    estate = compiled(facts, stated)
    world = World(facts, catalogue(), stated)
    for identity in facts.identities:
        for call in calls:
            answer = subject_queries.evaluate_action(
                estate, estate.principals[identity.id], *call
            )
            says_the_same(
                answer.formula,
                partial(spec.is_allowed, world, Subject(identity), *call),
            )


def case_agrees(case: ReachCase) -> Iterator[tuple[str, int]]:
    """The law for single requests of anybody, with all that a question may state."""
    estate, world = estate_of(case), world_of(case)
    for identity in case.facts.identities:
        principal = asking(estate, identity.id)
        for call in case.calls:
            answer = subject_queries.evaluate_action(estate, principal, *call)
            judge = partial(spec.is_allowed, world, Subject(identity), *call)
            yield says_the_same(answer.formula, judge)
    for text in case.outsiders:
        for call in filter(_of_a_thing, case.calls):
            caller = external_callers.parse_caller(text, estate.accounts)
            assert caller is not None
            answer = subject_queries.evaluate_external_caller_action(
                estate, caller, *call
            )
            judge = partial(spec.is_allowed_for_caller, world, outsider(text), *call)
            yield says_the_same(answer.formula, judge)


def asking(estate: CompiledAccounts, identity: IdentityId) -> CompiledPrincipal:
    """The principal that a question starts from: under the session policy."""
    graph = IdentityGraph(estate)
    return graph.get_principal(graph.get_start_node(identity))


def holds_for(case: ReachCase) -> None:
    """The law for single requests, as one assertion."""
    for _ in case_agrees(case):
        pass


def _of_a_thing(call: Call) -> bool:
    return call[1] != "*" and not call[0].startswith("iam:")


def outsider(text: str) -> AnonymousCaller | ServiceCaller | ForeignCaller:
    """The readable rules' name for a caller outside the snapshot."""
    if text == "*":
        return AnonymousCaller()
    if text.endswith(".amazonaws.com"):
        return ServiceCaller(text)
    return ForeignCaller(text, text.split(":")[4])


def paths_agree(facts: SightedFacts, call: tuple[str, str]) -> None:
    """The law for paths: the verdict over everyone a principal can become."""
    graph = IdentityGraph(compiled(facts, {}))
    world = World(facts, catalogue())
    places = spec_paths.list_all_steps(world)
    found = {
        reply.subject: get_verdict(reply.formula)
        for reply in list_all_callers_by_severity(graph, *call, direct=False)
        if IdentityId(reply.subject) in graph.accounts.principals
    }
    for who in graph.accounts.principals:
        reply = subject_queries.answer_subject(graph, who, *call, direct=False)
        assert get_verdict(reply.formula) == spec_paths.evaluate_can(
            world, who, *call, places
        )
        assert found.get(who, "never") == get_verdict(reply.formula)


def rows_agree(estate: CompiledAccounts, calls: Calls) -> None:
    """The law for rows: they say neither more nor less than `can` does.

    They do not list calls that need no permission, nor what only a policy that nobody
    asked for could allow. Patterns that name no account speak of one's own.
    """
    graph = IdentityGraph(estate)
    for identity in estate.principals:
        principal = asking(estate, identity)
        rows = list(callable_rows.list_callable_rows(graph, principal, RowFilter()))
        for action, resource in calls:
            answer = subject_queries.evaluate_action(
                estate, principal, action, resource
            )
            mine = [row for row in rows if takes(row, action.lower(), resource)]
            words = {get_verdict(row.formula) for row in mine}
            if get_verdict(answer.formula) != "never" and _listed(
                action, answer.formula
            ):
                assert words, "a row is missing"
            if any(
                get_verdict(r.formula) == "always" for r in mine if _judges(r, action)
            ):
                impossible = not estate.can_action_act_on_resource(action, resource)
                impossible |= single_request.is_owner_only_call(
                    estate, principal.identity.account, action, resource
                )
                impossible |= _is_aside(estate, principal, action, resource)
                # No policy decides a call that a session cannot make.
                impossible |= principal.needs_no_permission(action.lower()) is False
                assert impossible or get_verdict(answer.formula) == "always"


def _judges(row: PermissionRow, action: str) -> bool:
    """Tell a row that judges all sides; wider patterns leave a role's trust aside."""
    return action != "sts:AssumeRole" or row.actions.pattern == action.lower()


def _listed(action: str, formula: Formula) -> bool:
    free = action.lower() in NO_PERMISSION_ACTIONS
    return not free and any(not any(map(_rests, one)) for one in formula)


def _rests(atom: ConditionAtom) -> bool:
    """Tell an atom of a resource's own policy that nobody asked for."""
    missing = atom.values[0].endswith(("#policy", "#trust", "#bucket"))
    return atom.key == UNCOLLECTED and missing


def _is_aside(
    estate: CompiledAccounts, principal: CompiledPrincipal, action: str, resource: str
) -> bool:
    """Tell what patterns leave aside: others' resources, doors nobody collected."""
    call = estate.build_request(action, resource)
    unknown = call.access_point is not None and not call.access_point.behind
    return unknown or call.owner not in ("", principal.identity.account)


def takes(row: PermissionRow, action: str, resource: str) -> bool:
    """Return whether a row speaks of a call."""
    parts = split_arn(resource)
    return (
        matches_glob(row.actions.pattern, action)
        and not any(matches_glob(hole, action) for hole in row.actions.excluded)
        and matches_arn(row.resources.pattern, parts)
        and not any(matches_arn(hole, parts) for hole in row.resources.excluded)
    )


def filters_agree(estate: CompiledAccounts, calls: Calls) -> None:
    """The law for filters: a row that touches what is asked for is not left out."""
    graph = IdentityGraph(estate)
    for identity in estate.principals:
        principal = asking(estate, identity)
        for action, resource in calls:
            answer = subject_queries.evaluate_action(
                estate, principal, action, resource
            )
            listed = _listed(action, answer.formula)
            if resource != "*" and listed and get_verdict(answer.formula) != "never":
                wanted = parse_row_filter(action, resource)
                rows = callable_rows.list_callable_rows(graph, principal, wanted)
                assert any(takes(row, action.lower(), resource) for row in rows)


def patterns_agree(case: ReachCase) -> None:
    """The law for patterns: `always` of all of them is `always` of each of one's own.

    A pattern that names no account asks about the caller's.
    """
    estate = estate_of(case)
    for identity in case.facts.identities:
        principal = asking(estate, identity.id)
        for action, resource in case.calls:
            aside = _is_aside(estate, principal, action, resource)
            for pattern in () if aside else _wider(resource):
                whole = subject_queries.evaluate_action(
                    estate, principal, action, pattern
                )
                if get_verdict(whole.formula) == "always":
                    one = subject_queries.evaluate_action(
                        estate, principal, action, resource
                    )
                    possible = estate.can_action_act_on_resource(action, resource)
                    assert get_verdict(one.formula) == "always" or not possible


def _wider(resource: str) -> Iterator[str]:
    if resource != "*":
        yield resource[:-1] + "*"
        yield "*"
        yield ":".join([*resource.split(":")[:5], "*"])
        yield ":".join([*resource.split(":")[:3], "*"])
