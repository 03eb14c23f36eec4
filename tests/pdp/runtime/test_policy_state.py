"""What holds beside the policy at the gateway holds at the decision point, too."""

from pathlib import Path

import pytest

from tests.gateway.serve.running_gateway import backend, configuration, serving
from tests.gateway.serve.test_approval_requests import ANA, Owners, refused
from tests.pdp.decision_point_harness import WRITE
from tests.pdp.runtime.test_process import POINT, evaluated, until


def test_what_an_owner_signs_is_true_until_it_is_revoked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
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
