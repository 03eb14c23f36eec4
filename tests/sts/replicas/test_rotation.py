"""Security test 17: signing keys change under load, and no verification fails.

The verifier keeps a key set for as long as its answer says (`max-age`), and reads it no
sooner: a token of a key that it has not read yet would be refused. It asks either of
two replicas for keys, and verifies tokens of both.
"""

import re
import time
from pathlib import Path

import pytest

from answerable.federation.jwk_set import IssuerKeySet, parse_key_set
from answerable.federation.jws_parsing import parse_jws
from answerable.federation.key_rotation import LEAD_TIME
from answerable.federation.token_errors import TokenRejected
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.token_claims import TokenType, TrustedIssuer
from tests.sts.replicas.replica_pair import Replica, pair
from tests.sts.running_service import FILES, DpopClient, ci_token

pytestmark = pytest.mark.world

FACTOR = 60  # a key signs for ten seconds
ROTATIONS = 3
AGE = re.compile(r".*max-age=(\d+)")


class Verifier:
    """A resource server that keeps what it may keep."""

    def __init__(self, replicas: list[Replica]) -> None:
        self._replicas = replicas
        self._keys = IssuerKeySet({}, ())
        self._until = 0.0
        self.reads = 0

    def verify(self, token: str) -> None:
        if time.monotonic() >= self._until:
            self._read()
        pin = TrustedIssuer(
            *("sts", self._replicas[0].url, ("ES256",), (TokenType.ACCESS_TOKEN,), 600),
            ours=True,
        )
        issuers = IssuerIndex(IssuerWithKeys(pin, FILES, self._keys))
        verify_token(token, issuers, int(time.time()))

    def _read(self) -> None:
        began = time.monotonic()
        with self._replicas[self.reads % 2].wire() as wire:
            reply = wire.ask("GET", "/jwks")
        age = AGE.fullmatch(reply.fields["cache-control"])
        assert age
        self._keys = parse_key_set(reply.body, ("ES256",))
        self._until = began + int(age[1])
        self.reads += 1


def test_keys_change_under_load_and_every_verification_holds(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = LEAD_TIME // FACTOR
    with pair(tmp_path, database, factor=FACTOR) as replicas:
        # A replica that joins others is asked nothing until they know its key.
        time.sleep(lead + 2)
        verifier, client = Verifier(replicas), DpopClient(replicas[0])
        wires = [replica.wire() for replica in replicas]
        kids: list[set[str]] = [set(), set()]
        tokens: list[str] = []
        failed: list[TokenRejected] = []
        ends = time.monotonic() + (ROTATIONS + 1) * lead + 5
        while time.monotonic() < ends:
            for wire, seen in zip(wires, kids, strict=True):
                token = client.get(wire, ci_token(replicas[0]))
                seen.add(parse_jws(token).head.kid)
                tokens.append(token)
                try:
                    verifier.verify(token)
                except TokenRejected as refused:
                    failed.append(refused)
        # The first ones, too: their keys have ended, and are published still.
        for token in tokens:
            verifier.verify(token)
        for wire in wires:
            wire.close()
    assert failed == []
    assert all(len(each) > ROTATIONS for each in kids), kids
    assert not kids[0] & kids[1]
    with capsys.disabled():
        print(f"\nrotation under load: {2 * len(tokens)} tries, {len(failed)} wrong")
        count = sum(map(len, kids))
        print(f"{count} keys of two replicas, {verifier.reads} reads of the key set")
