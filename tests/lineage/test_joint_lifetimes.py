"""A credential joins two records only while it could be used."""

import pytest

from answerable.lineage.chain_stitching import derive_lineage_chains
from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.lineage.issuance_path import LIFETIME_TOLERANCE
from answerable.model.lineage import ChainKey, CredentialIssuance

FIRST, SECOND = "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"
USER = "arn:aws:iam::111122223333:user/ana"
ISSUED, UNTIL = 10**15, 10**15 + 3600 * 10**9


def issued(
    at: int, until: int, name: str, identity: str, parent: ChainKey
) -> CredentialIssuance:
    return CredentialIssuance(
        at, f"cred:aws/{name}", identity, until, parent, "0a", "cloudtrail"
    )


@pytest.mark.parametrize(
    ("at", "joined"),
    [
        (ISSUED, True),
        (UNTIL, True),
        (UNTIL + LIFETIME_TOLERANCE - 1, True),
        (ISSUED - LIFETIME_TOLERANCE, True),
        (UNTIL + LIFETIME_TOLERANCE, False),
        (ISSUED - LIFETIME_TOLERANCE - 1, False),
    ],
)
def test_a_session_leads_on_only_if_it_was_alive_when_it_assumed_the_next_role(
    at: int, joined: bool
) -> None:
    user = ChainKey(USER, "cred:aws/AKIAEXAMPLE000000001", "", "", "")
    session = ChainKey(FIRST, "cred:aws/ASIAEXAMPLE000000001", "", "", "")
    acting = ChainKey(SECOND, "cred:aws/ASIAEXAMPLE000000002", "", "", "")
    records = [
        issued(ISSUED, UNTIL, "ASIAEXAMPLE000000001", FIRST, user),
        issued(at, at + 10**9, "ASIAEXAMPLE000000002", SECOND, session),
    ]
    joint = SourcedChainKey(acting, "cloudtrail", believed=True)
    ((chain,),) = [found.chains for found in derive_lineage_chains([joint], records)]
    path = (USER, FIRST, SECOND) if joined else (FIRST, SECOND)
    assert chain.identity_path == path


def test_a_session_without_a_recorded_expiry_has_no_end() -> None:
    user = ChainKey(USER, "cred:aws/AKIAEXAMPLE000000001", "", "", "")
    session = ChainKey(FIRST, "cred:aws/ASIAEXAMPLE000000001", "", "", "")
    acting = ChainKey(SECOND, "cred:aws/ASIAEXAMPLE000000002", "", "", "")
    records = [
        issued(ISSUED, 0, "ASIAEXAMPLE000000001", FIRST, user),
        issued(UNTIL * 2, UNTIL * 3, "ASIAEXAMPLE000000002", SECOND, session),
    ]
    joint = SourcedChainKey(acting, "cloudtrail", believed=True)
    ((chain,),) = [found.chains for found in derive_lineage_chains([joint], records)]
    assert chain.identity_path == (USER, FIRST, SECOND)
