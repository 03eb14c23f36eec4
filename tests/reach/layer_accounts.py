"""Account with one user, and questions about it, for tests of policy layers."""

from answerable.model.ids import IdentityId
from answerable.model.policy import Policy
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    catalogue,
    role,
    statement,
    user,
)

BUCKET = "arn:aws:s3:::red"
OBJECT = f"{BUCKET}/a"
KEY = f"arn:aws:kms:us-east-1:{A}:key/k"
POINT = f"arn:aws:s3:us-east-1:{A}:accesspoint/door"
ANA = user("ana")
EVERYTHING = statement("full", action="*", resource="*")
ANYONE = {"AWS": "*"}


def ana(*, allowed: bool = True) -> AccountBuilder:
    """One user of an account in an organisation, who may do anything or nothing."""
    build = AccountBuilder()
    build.identity(ANA)
    build.organization(A, "o-1", ("r-1", "ou-1"))
    if allowed:
        build.policy(ANA, "identity", EVERYTHING)
    return build


def estate_of(
    build: AccountBuilder,
    *,
    given: ContextKeys = NO_KEYS,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> CompiledAccounts:
    return compile_accounts(
        build.facts(),
        catalogue(),
        stated_keys=given,
        session=session,
        endpoint=endpoint,
    )


def asked(
    build: AccountBuilder,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Evaluation:
    """Ask about ana."""
    graph = IdentityGraph(estate_of(build, session=session, endpoint=endpoint))
    principal = graph.get_principal(graph.get_start_node(IdentityId(ANA)))
    return evaluate_action(graph.accounts, principal, action, resource)


def told(answer: Evaluation) -> list[tuple[str, str, str]]:
    """Who decided: layer, statement, effect."""
    return [(d.layer, d.statement, d.effect) for d in answer.determining]


def levels(build: AccountBuilder, *targets: str) -> None:
    for target in targets:
        build.policy(target, "scp", EVERYTHING, policy="p-FullAWSAccess")


def entered() -> AccountBuilder:
    """A role that another account may enter, and that may read the bucket."""
    build = AccountBuilder()
    reader = build.identity(role("reader"))
    build.policy(reader, "identity", statement("s3", action="s3:Get*", resource="*"))
    build.policy(
        reader, "trust", statement("in", action="sts:AssumeRole", principal={"AWS": B})
    )
    return build
