"""A role's session is an agent's only where nothing names another caller."""

import pytest

from answerable.lineage.chain_stitching import derive_lineage_chains
from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    DeclaredUse,
    HopStatus,
    LineageChain,
)

ROLE = "arn:aws:iam::111122223333:role/deploy"
SESSION = "cred:aws/ASIASESSION000000001"
LAPTOP = "agent:claude-code/ana"
WORKFLOW = "agent:github-actions/corp/app/agent.yml/ai"
UNNAMED = "agent:github-actions/app/agent.yml/ai"
ISSUER = "oidc:token.actions.githubusercontent.com"
FOREVER = 1 << 62


def key(identity: str, credential: str = "", person: str = "") -> ChainKey:
    return ChainKey(identity, credential, "", person, "", "", "")


def used(subject: str, agent: str, person: str = "") -> DeclaredUse:
    return DeclaredUse(
        subject=subject,
        valid_from=0,
        valid_to=FOREVER,
        person=person,
        owner_state="declared" if person else "none",
        agents=(agent,),
        tools=((agent, "tool:x"),),
        source="snapshot",
    )


def started(by: ChainKey) -> CredentialIssuance:
    return CredentialIssuance(
        credential=SESSION,
        parent=by,
        identity=ROLE,
        at=1,
        until=FOREVER,
        source="cloudtrail",
        event="e1",
    )


def chain(
    agent: str, *issued: CredentialIssuance, declared: tuple[DeclaredUse, ...] = ()
) -> LineageChain:
    joint = SourcedChainKey(key(ROLE, SESSION), "cloudtrail", believed=True)
    [found] = derive_lineage_chains([joint], issued, (used(ROLE, agent), *declared))
    return found.chains[0]


@pytest.mark.parametrize(
    ("agent", "by"),
    [
        (LAPTOP, key("saml:https://idp.example/hal", person="person:hal")),
        (LAPTOP, key("arn:aws:iam::111122223333:user/bob", "cred:aws/AKIABOB")),
        (WORKFLOW, key(f"{ISSUER}/repo:corp/other:ref:refs/heads/main")),
        (WORKFLOW, key(f"{ISSUER}/repo:corp/app-2:ref:refs/heads/main")),
        (LAPTOP, key(f"{ISSUER}/repo:corp/app:ref:refs/heads/main")),
    ],
)
def test_another_caller_leaves_the_agent_missing(agent: str, by: ChainKey) -> None:
    found = chain(agent, started(by))
    assert found.agent.status is HopStatus.MISSING
    assert by.identity in found.agent.source
    assert found.tool.status is HopStatus.MISSING
    assert found.person.value in ("", by.person)


@pytest.mark.parametrize(
    ("agent", "by", "declared"),
    [
        (WORKFLOW, key(f"{ISSUER}/repo:Corp/App:ref:refs/heads/main"), ()),
        (LAPTOP, key("ec2.amazonaws.com"), ()),
        (
            LAPTOP,
            key("arn:aws:iam::111122223333:user/ana", "cred:aws/AKIAANA"),
            (used("cred:aws/AKIAANA", LAPTOP),),
        ),
        (
            LAPTOP,
            key("saml:https://idp.example/ana", person="person:ana"),
            (used(LAPTOP, LAPTOP, "person:ana"),),
        ),
    ],
)
def test_a_caller_of_the_configuration_is_the_agent(
    agent: str, by: ChainKey, declared: tuple[DeclaredUse, ...]
) -> None:
    found = chain(agent, started(by), declared=declared)
    assert (found.agent.value, found.agent.status) == (agent, HopStatus.DECLARED)


@pytest.mark.parametrize(
    ("agent", "issued"),
    [
        (LAPTOP, ()),
        (UNNAMED, (started(key(f"{ISSUER}/repo:corp/app:ref:refs/heads/main")),)),
    ],
)
def test_a_caller_that_nothing_names_is_inferred(
    agent: str, issued: tuple[CredentialIssuance, ...]
) -> None:
    found = chain(agent, *issued)
    assert (found.agent.value, found.agent.status) == (agent, HopStatus.INFERRED)


def test_who_created_a_key_is_found_behind_their_session() -> None:
    made = CredentialIssuance(
        credential="cred:aws/AKIAMADE000000000001",
        parent=key("arn:aws:iam::111122223333:role/admin", SESSION),
        identity="arn:aws:iam::111122223333:user/job",
        at=2,
        until=0,
        source="cloudtrail",
        event="e2",
    )
    session = started(key("saml:https://idp.example/hal", person="person:hal"))
    acting = key(made.identity, made.credential)
    [found] = derive_lineage_chains(
        [SourcedChainKey(acting, "cloudtrail", believed=True)], (made, session)
    )
    person = found.chains[0].person
    assert (person.value, person.status) == ("person:hal", HopStatus.INFERRED)
    assert made.credential in person.source
