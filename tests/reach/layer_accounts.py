"""Account with one user, and questions about it, for tests of policy layers."""

from answerable.model.ids import IdentityId
from answerable.model.policy import Policy
from answerable.reach.aws.compiled.accounts import Estate, compile_estate
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.evaluation.single_request import ask
from answerable.reach.aws.paths.identity_graph import Graph
from tests.reach.account_builder import A, B, Builder, catalogue, role, statement, user

BUCKET = "arn:aws:s3:::red"
OBJECT = f"{BUCKET}/a"
KEY = f"arn:aws:kms:us-east-1:{A}:key/k"
POINT = f"arn:aws:s3:us-east-1:{A}:accesspoint/door"
ANA = user("ana")
EVERYTHING = statement("full", action="*", resource="*")
ANYONE = {"AWS": "*"}


def ana(*, allowed: bool = True) -> Builder:
    """One user of an account in an organisation, who may do anything or nothing."""
    build = Builder()
    build.identity(ANA)
    build.organization(A, "o-1", ("r-1", "ou-1"))
    if allowed:
        build.policy(ANA, "identity", EVERYTHING)
    return build


def estate_of(
    build: Builder,
    *,
    given: Known = NOTHING,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Estate:
    return compile_estate(
        build.facts(), catalogue(), given=given, session=session, endpoint=endpoint
    )


def asked(
    build: Builder,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Answer:
    """Ask about ana."""
    graph = Graph(estate_of(build, session=session, endpoint=endpoint))
    principal = graph.principal(graph.start(IdentityId(ANA)))
    return ask(graph.estate, principal, action, resource)


def told(answer: Answer) -> list[tuple[str, str, str]]:
    """Who decided: layer, statement, effect."""
    return [(d.layer, d.statement, d.effect) for d in answer.determining]


def levels(build: Builder, *targets: str) -> None:
    for target in targets:
        build.policy(target, "scp", EVERYTHING, policy="p-FullAWSAccess")


def entered() -> Builder:
    """A role that another account may enter, and that may read the bucket."""
    build = Builder()
    reader = build.identity(role("reader"))
    build.policy(reader, "identity", statement("s3", action="s3:Get*", resource="*"))
    build.policy(
        reader, "trust", statement("in", action="sts:AssumeRole", principal={"AWS": B})
    )
    return build
