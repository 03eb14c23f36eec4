"""What holds beside the policy at the gateway holds at the decision point, too."""

from pathlib import Path

import pytest

from tests.api.serve.test_serve import POINT, evaluated, until
from tests.api.stage import WRITE
from tests.gateway.serve.stage import backend, configuration, serving
from tests.gateway.serve.test_asks import ANA, Owners, refused


def test_what_an_owner_signs_is_true_until_it_is_revoked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "answerable.serving.processes.ancestors.refuse_agents", lambda runs: None
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    owners = Owners(tmp_path, capsys)
    with backend() as server:
        said = configuration(server.server_port, decisions=POINT)
        with serving(tmp_path, said, lines=5) as served:
            owners.attest(ANA)
            decision = refused(served.call("write", arguments={"a": 1}))
            assert not evaluated(served, resource=WRITE)
            until(lambda: bool(owners("asks")[1]))
            told = owners.sign(ANA, "asks", "allow", decision, "--any-arguments")
            until(lambda: evaluated(served, resource=WRITE), 3)
            owners.sign(ANA, "asks", "revoke", told["amendment"])
            until(lambda: not evaluated(served, resource=WRITE), 3)
