"""Laws: the engine equals the reference evaluation.

`run(count, seed)` holds the engine to the law of calls on that many generated cases.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings

from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach import queries
from answerable.reach.aws.compiled import external_callers
from answerable.reach.aws.compiled.accounts import Estate, compile_estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.patterns.arns import matches_parts, text_parts
from answerable.reach.aws.patterns.globs import matches
from answerable.reach.aws.permission_rows.row_types import Filter, Row, make_filter
from answerable.reach.formula import TOO_MANY, Atom, Formula, verdict
from answerable.reach.who_can import who_can
from tests.reach.account_builder import catalogue
from tests.reach.strategies_cases import Call, Case, cases
from tests.reference.reach import paths as spec_paths
from tests.reference.reach import request as spec
from tests.reference.reach.facts import UNCOLLECTED, Who, World
from tests.reference.reach.principals import Anonymous, Foreign, Service

Calls = list[tuple[str, str]]
Keys = dict[str, tuple[str, ...]]
Judge = Callable[[spec.Situation], bool]

WORDS = ("always", "only-if", "never")
CHUNK = 1_000
"""Examples of one run of Hypothesis; it remembers each, so a run does not grow."""


@dataclass
class Told:
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


def run(count: int, first: int) -> Told:
    """Hold the engine to the law of calls.

    Args:
        count: Cases to generate, in thousands rounded up.
        first: Seed.

    Raises:
        AssertionError: The engine and the readable rules differ; Hypothesis prints the
            case.
    """
    told = Told(first)
    for number in range(-(-count // CHUNK)):
        _chunk(told, min(count, CHUNK), first + number)
    return told


def _chunk(told: Told, count: int, number: int) -> None:
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
    def law(case: Case) -> None:
        told.cases += 1
        for word, situations in case_agrees(case):
            told.verdicts[word] += 1
            told.situations += situations

    law()


def compiled(facts: Facts, stated: Keys) -> Estate:
    """An estate of facts and stated keys."""
    return compile_estate(facts, catalogue(), given=_known(stated))


def _known(stated: Keys) -> Known:
    return Known(stated) if stated else NOTHING


def estate_of(case: Case) -> Estate:
    """The engine's view of a case."""
    return compile_estate(
        case.facts,
        catalogue(),
        given=_known(case.given),
        tags_collected=case.tags_collected,
        session=case.session,
        endpoint=case.endpoint,
    )


def world_of(case: Case) -> World:
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
    for situation, expected in spec.outcomes(judge):
        seen.add(expected)
        situations += 1
        for otherwise in () if opaque else (True, False):
            assert holds(formula, situation, otherwise) == expected
    word = "only-if" if len(seen) > 1 else "always" if True in seen else "never"
    assert verdict(formula) == ("only-if" if opaque else word)
    return word, situations


def calls_agree(facts: Facts, stated: Keys, calls: Calls) -> None:
    """The law for single requests of identities."""
    estate = compiled(facts, stated)
    world = World(facts, catalogue(), stated)
    for identity in facts.identities:
        for call in calls:
            answer = queries.ask(estate, estate.principals[identity.id], *call)
            says_the_same(
                answer.formula, partial(spec.allowed, world, Who(identity), *call)
            )


def case_agrees(case: Case) -> Iterator[tuple[str, int]]:
    """The law for single requests of anybody, with all that a question may state."""
    estate, world = estate_of(case), world_of(case)
    for identity in case.facts.identities:
        principal = asking(estate, identity.id)
        for call in case.calls:
            answer = queries.ask(estate, principal, *call)
            judge = partial(spec.allowed, world, Who(identity), *call)
            yield says_the_same(answer.formula, judge)
    for text in case.outsiders:
        for call in filter(_of_a_thing, case.calls):
            caller = external_callers.caller_of(text, estate.accounts)
            assert caller is not None
            answer = queries.ask_as(estate, caller, *call)
            judge = partial(spec.allowed_as, world, outsider(text), *call)
            yield says_the_same(answer.formula, judge)


def asking(estate: Estate, identity: IdentityId) -> Principal:
    """The principal that a question starts from: under the session policy."""
    graph = Graph(estate)
    return graph.principal(graph.start(identity))


def holds_for(case: Case) -> None:
    """The law for single requests, as one assertion."""
    for _ in case_agrees(case):
        pass


def _of_a_thing(call: Call) -> bool:
    return call[1] != "*" and not call[0].startswith("iam:")


def outsider(text: str) -> Anonymous | Service | Foreign:
    """The readable rules' name for a caller outside the snapshot."""
    if text == "*":
        return Anonymous()
    if text.endswith(".amazonaws.com"):
        return Service(text)
    return Foreign(text, text.split(":")[4])


def paths_agree(facts: Facts, call: tuple[str, str]) -> None:
    """The law for paths: the verdict over everyone a principal can become."""
    graph = Graph(compiled(facts, {}))
    world = World(facts, catalogue())
    places = spec_paths.everywhere(world)
    found = {
        reply.subject: verdict(reply.formula)
        for reply in who_can(graph, *call, direct=False)
        if IdentityId(reply.subject) in graph.estate.principals
    }
    for who in graph.estate.principals:
        reply = queries.can(graph, who, *call, direct=False)
        assert verdict(reply.formula) == spec_paths.can(world, who, *call, places)
        assert found.get(who, "never") == verdict(reply.formula)


def rows_agree(estate: Estate, calls: Calls) -> None:
    """The law for rows: they say neither more nor less than `can` does.

    They do not list calls that need no permission, nor what only a policy that nobody
    asked for could allow. Patterns that name no account speak of one's own.
    """
    graph = Graph(estate)
    for identity in estate.principals:
        principal = asking(estate, identity)
        rows = list(queries.principal_rows(graph, principal, Filter()))
        for action, resource in calls:
            answer = queries.ask(estate, principal, action, resource)
            mine = [row for row in rows if takes(row, action.lower(), resource)]
            words = {verdict(row.formula) for row in mine}
            if verdict(answer.formula) != "never" and _listed(action, answer.formula):
                assert words, "a row is missing"
            if any(verdict(r.formula) == "always" for r in mine if _judges(r, action)):
                impossible = not estate.possible(action, resource)
                impossible |= queries.abroad(
                    estate, principal.identity.account, action, resource
                )
                impossible |= _is_aside(estate, principal, action, resource)
                # No policy decides a call that a session cannot make.
                impossible |= principal.is_free(action.lower()) is False
                assert impossible or verdict(answer.formula) == "always"


def _judges(row: Row, action: str) -> bool:
    """Tell a row that judges all sides; wider patterns leave a role's trust aside."""
    return action != "sts:AssumeRole" or row.actions.pattern == action.lower()


def _listed(action: str, formula: Formula) -> bool:
    free = action.lower() in NO_PERMISSION
    return not free and any(not any(map(_rests, one)) for one in formula)


def _rests(atom: Atom) -> bool:
    """Tell an atom of a resource's own policy that nobody asked for."""
    missing = atom.values[0].endswith(("#policy", "#trust", "#bucket"))
    return atom.key == UNCOLLECTED and missing


def _is_aside(estate: Estate, principal: Principal, action: str, resource: str) -> bool:
    """Tell what patterns leave aside: others' resources, doors nobody collected."""
    call = estate.call(action, resource)
    unknown = call.door is not None and not call.door.behind
    return unknown or call.owner not in ("", principal.identity.account)


def takes(row: Row, action: str, resource: str) -> bool:
    """Tell whether a row speaks of a call."""
    parts = text_parts(resource)
    return (
        matches(row.actions.pattern, action)
        and not any(matches(hole, action) for hole in row.actions.excluded)
        and matches_parts(row.resources.pattern, parts)
        and not any(matches_parts(hole, parts) for hole in row.resources.excluded)
    )


def filters_agree(estate: Estate, calls: Calls) -> None:
    """The law for filters: a row that touches what is asked for is not left out."""
    graph = Graph(estate)
    for identity in estate.principals:
        principal = asking(estate, identity)
        for action, resource in calls:
            answer = queries.ask(estate, principal, action, resource)
            listed = _listed(action, answer.formula)
            if resource != "*" and listed and verdict(answer.formula) != "never":
                wanted = make_filter(action, resource)
                rows = queries.principal_rows(graph, principal, wanted)
                assert any(takes(row, action.lower(), resource) for row in rows)


def patterns_agree(case: Case) -> None:
    """The law for patterns: `always` of all of them is `always` of each of one's own.

    A pattern that names no account asks about the caller's.
    """
    estate = estate_of(case)
    for identity in case.facts.identities:
        principal = asking(estate, identity.id)
        for action, resource in case.calls:
            aside = _is_aside(estate, principal, action, resource)
            for pattern in () if aside else _wider(resource):
                whole = queries.ask(estate, principal, action, pattern)
                if verdict(whole.formula) == "always":
                    one = queries.ask(estate, principal, action, resource)
                    possible = estate.possible(action, resource)
                    assert verdict(one.formula) == "always" or not possible


def _wider(resource: str) -> Iterator[str]:
    if resource != "*":
        yield resource[:-1] + "*"
        yield "*"
        yield ":".join([*resource.split(":")[:5], "*"])
        yield ":".join([*resource.split(":")[:3], "*"])
