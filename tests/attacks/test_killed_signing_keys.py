"""Tokens of our own whose signing key was killed, at a running gateway."""

import http.client
import time
from pathlib import Path

import pytest

from answerable.server.revocation_list import RevocationFile
from tests.federation.sample_tokens import EC, document, public
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Backend,
    call,
    configuration,
    serving,
    token_of,
)


def passes(wire: http.client.HTTPConnection, token: str) -> bool:
    try:
        return call(wire, token=token) != 401
    except http.client.HTTPException:  # a call under way was cut
        wire.close()
        return False


@pytest.mark.parametrize("ours", [True, False])
def test_a_killed_key_is_refused_at_once_and_another_issuers_kid_is_not(
    tmp_path: Path, server: Backend, ours: bool
) -> None:
    """The key set still has the key: a killed token service is asked for nothing."""
    made = configuration(server.server_port)
    made["issuers"]["corp"]["ours"] = ours
    with serving(tmp_path, made) as served:
        (tmp_path / "keys.json").write_bytes(document(public(EC, kid="k1")))
        token = token_of("ana")
        wire = http.client.HTTPConnection(served.gateway, timeout=60)
        assert "result" in call(wire, token=token)
        RevocationFile(tmp_path / "store" / "gateway").revoke("key:k1")
        # The worker has read it where it says so.
        served.hear("kill.taken")
        until = time.monotonic() + SECONDS
        while ours and passes(wire, token):
            assert time.monotonic() < until
            time.sleep(0.02)
        if ours:
            assert call(wire, token=token) == 401
        if not ours:
            assert "result" in call(wire, token=token)
        wire.close()
        RevocationFile(tmp_path / "store" / "gateway").reinstate("key:k1")
        served.hear("kill.revived")
        while "result" not in served.call(token=token):
            assert time.monotonic() < until
            time.sleep(0.02)
