"""Reach over a generated account: compile, closure, point checks, who-can.

`python -m bench --only reach`, or `python -m bench.reach` for more detail.
"""

import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence

from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import (
    Attachment,
    ConditionClause,
    Effect,
    Layer,
    Policy,
    Statement,
)
from answerable.model.sighting import Facts
from answerable.model.written import Seen, WrittenBy
from answerable.reach import questions
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.graph import Graph
from answerable.reach.steps import Node
from answerable.reach.subjects import services_of

ACCOUNT = "111122223333"
SEEN = Seen("aws:bench", "bench", WrittenBy.PLATFORM, 1)
ROUNDS = 3
POINTS = 2_000
SERVICE_NAMES = ("lambda", "ec2", "ecs-tasks", "glue", "sagemaker", "states")


class _Maker:
    """Makes an account the way accounts grow: teams, shared policies, a few admins."""

    def __init__(self, size: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.size = size
        catalogue = load()
        self.services = sorted(s for s, e in catalogue.services.items() if e.actions)
        self.actions = {
            service: sorted(
                str(a) for a in catalogue.services[service].actions.values()
            )
            for service in self.services
        }
        self.policies: list[Policy] = []
        self.attachments: list[Attachment] = []
        self.identities: list[Identity] = []

    def facts(self) -> Facts:
        shared = [self._managed(n) for n in range(max(5, self.size // 10))]
        wide = self._policy(_arn("policy/admin"), [_allow("*", "*")])
        boundary = self._policy(_arn("policy/boundary"), [_allow("s3:*", "*")])
        for number in range(self.size):
            arn = _arn(f"role/team-{number % 40}/r{number}")
            if number % 10 == 0:
                arn = _arn(f"user/u{number}")
            self._identity(arn, number)
            for policy in self.random.sample(shared, self.random.randint(1, 4)):
                self._attach(policy, arn, Layer.IDENTITY)
            if number % 250 == 7:
                self._attach(wide, arn, Layer.IDENTITY)
            if self.random.random() < 0.6:
                inline = self._policy(f"{arn}#inline/own", self._statements(number))
                self._attach(inline, arn, Layer.IDENTITY)
            if self.random.random() < 0.05:
                self._attach(boundary, arn, Layer.BOUNDARY)
        return Facts(
            identities=tuple(self.identities),
            accounts=(Account(ACCOUNT, "", "", (), False, SEEN),),
            policies=tuple(self.policies),
            attachments=tuple(self.attachments),
        )

    def _identity(self, arn: str, number: int) -> None:
        role = ":role/" in arn
        tags = (("team", f"team-{number % 40}"),)
        self.identities.append(
            Identity(
                id=IdentityId(arn),
                kind="aws-role" if role else "aws-user",
                name=arn.rpartition("/")[2],
                account=ACCOUNT,
                unique_id=f"{'AROA' if role else 'AIDA'}{number}",
                tags=tags,
                created_at=0,
                last_used_at=0,
                seen=SEEN,
            )
        )
        if role:
            trust = self._policy(f"{arn}#trust", [self._trusting(number)])
            self._attach(trust, arn, Layer.TRUST)

    def _trusting(self, number: int) -> Statement:
        if number % 5 < 2:
            service = f"{self.random.choice(SERVICE_NAMES)}.amazonaws.com"
            named = ("Service", service)
        elif number % 5 < 4:
            named = ("AWS", f"arn:aws:iam::{ACCOUNT}:root")
        else:
            other = self.random.randrange(self.size)
            named = ("AWS", _arn(f"role/team-{other % 40}/r{other}"))
        return _statement("trust", Effect.ALLOW, ("sts:AssumeRole",), (), (named,))

    def _managed(self, number: int) -> PolicyId:
        return self._policy(_arn(f"policy/p{number}"), self._statements(number))

    def _statements(self, number: int) -> list[Statement]:
        pick = self.random
        found = []
        for _ in range(pick.randint(1, 4)):
            service = pick.choice(self.services)
            known = self.actions[service]
            names = pick.sample(known, min(len(known), pick.randint(1, 6)))
            if pick.random() < 0.2:
                names = [f"{service}:*"]
            resource = f"arn:aws:{service}:*:{ACCOUNT}:team-{number % 40}/*"
            found.append(_allow(names, "*" if pick.random() < 0.5 else resource))
        if pick.random() < 0.3:
            found.append(_allow("s3:GetObject", f"arn:aws:s3:::bucket-{number % 90}/*"))
        if pick.random() < 0.1:
            team = ConditionClause(
                "StringEquals", "aws:ResourceTag/team", ("${aws:PrincipalTag/team}",)
            )
            found.append(_statement("tag", Effect.ALLOW, ("ec2:*",), ("*",), (), team))
        if pick.random() < 0.05:
            role = _arn(f"role/team-{number % 40}/*")
            found.append(_allow(["sts:AssumeRole", "iam:PassRole"], role))
        if pick.random() < 0.05:
            found.append(
                _allow(["lambda:CreateFunction", "lambda:InvokeFunction"], "*")
            )
        if pick.random() < 0.1:
            found.append(_statement("no", Effect.DENY, ("s3:Delete*", "iam:*"), ("*",)))
        return found

    def _policy(self, name: str, statements: Sequence[Statement]) -> PolicyId:
        policy = PolicyId(name)
        self.policies.append(Policy(policy, name, tuple(statements), (), SEEN))
        return policy

    def _attach(self, policy: PolicyId, target: str, layer: Layer) -> None:
        self.attachments.append(Attachment(policy, target, layer, "", SEEN))


def _arn(resource: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{resource}"


def _allow(actions: str | Sequence[str], resource: str) -> Statement:
    named = (actions,) if isinstance(actions, str) else tuple(actions)
    return _statement("allow", Effect.ALLOW, named, (resource,))


def _statement(
    sid: str,
    effect: Effect,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    principals: tuple[tuple[str, str], ...] = (),
    *conditions: ConditionClause,
) -> Statement:
    return Statement(
        sid, effect, actions, (), resources, (), principals, (), conditions
    )


def diversity(facts: Facts, estate: Estate) -> dict[str, int]:
    """Say how different the policies are; a flat account would flatter the figures."""
    sets = Counter(p.grants for p in estate.principals.values())
    return {
        "principals": len(estate.principals),
        "policies": len(facts.policies),
        "statements": sum(len(policy.statements) for policy in facts.policies),
        "distinct statements": len(estate.clauses),
        "distinct policy sets": len(sets),
        "services named": len(services_of(facts)),
    }


def run(size: int = 1_000, seed: int = 1) -> list[dict[str, object]]:
    """Measure; each row has `what`, `unit` and `values`, one value a round."""
    facts = _Maker(size, seed).facts()
    catalogue = load(services_of(facts))
    compiles, closures, points, sides = [], [], [], []
    for _ in range(ROUNDS):
        estate, took = _timed(lambda: compile_estate(facts, catalogue))
        compiles.append(took)
        graph = Graph(estate)
        edges, took = _timed(lambda graph=graph: _close(graph))
        closures.append(took)
        points.append(_points(graph, seed) * 1e6)
        sides.append(_timed(lambda graph=graph: _who(graph))[1] * 1e3)
    peak = _peak(facts)
    found = ", ".join(f"{n:,} {what}" for what, n in diversity(facts, estate).items())
    sys.stderr.write(f"reach: {found}; {edges:,} edges\n")
    of = f"{size:,} principals"
    return [
        _row(f"compile, {of}", "s", compiles),
        _row(f"closure, {of} ({edges:,} edges)", "s", closures),
        _row(f"point check, {of}", "us", points),
        _row(f"who-can by themselves, {of}", "ms", sides),
        _row(f"memory of compile and closure, {of}", "MiB", [peak]),
    ]


def _close(graph: Graph) -> int:
    waiting: list[Node] = [Node(one) for one in graph.estate.principals]
    seen = set(waiting)
    edges = 0
    while waiting:
        for edge in graph.edges(waiting.pop()):
            edges += 1
            if edge.to not in seen:
                seen.add(edge.to)
                waiting.append(edge.to)
    return edges


def _who(graph: Graph) -> int:
    resource = "arn:aws:s3:::bucket-1/a"
    found = questions.who_can(graph, "s3:GetObject", resource, direct=True)
    return len(list(found))


def _points(graph: Graph, seed: int) -> float:
    """Seconds per check, each of a principal, an action and a resource by chance."""
    pick = random.Random(seed)
    principals = list(graph.estate.principals.values())
    asked = [
        (pick.choice(principals), f"arn:aws:s3:::bucket-{pick.randrange(90)}/a")
        for _ in range(POINTS)
    ]

    def check() -> None:
        for principal, resource in asked:
            questions.ask(graph.estate, principal, "s3:GetObject", resource)

    check()
    return _timed(check)[1] / POINTS


def _peak(facts: Facts) -> float:
    tracemalloc.start()
    graph = Graph(compile_estate(facts, load(services_of(facts))))
    _close(graph)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (1 << 20)


def _timed(work: object) -> tuple[object, float]:
    start = time.perf_counter()
    result = work()  # type: ignore[operator] - a callable of its own kind each time
    return result, time.perf_counter() - start


def _row(what: str, unit: str, values: Sequence[float]) -> dict[str, object]:
    return {"what": what, "unit": unit, "values": list(values)}


def _lines() -> Iterator[str]:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    for row in run(size):
        values = ", ".join(f"{value:.3g}" for value in row["values"])  # type: ignore[attr-defined] - a list
        yield f"{row['what']}: {values} {row['unit']}"


if __name__ == "__main__":
    for line in _lines():
        sys.stdout.write(line + "\n")
