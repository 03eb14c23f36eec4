"""A file that ends the enforcement of an agent is reported, recorded and remembered."""

import json
from pathlib import Path
from typing import Any

from answerable.services.authorization.recorded_modes import read_recorded_modes
from answerable.store.store import EvidenceStore
from answerable.usecases.operations.doctor import check_installation
from tests.gateway.serve.running_gateway import Backend, Serving, configuration, serving

NOW = 1_900_000_000 * 10**9
ANA = "agent:declared/ana"


def with_mode(settings: dict[str, Any], mode: str, *confirmed: str) -> dict[str, Any]:
    """The same file with another mode of one agent."""
    changed: dict[str, Any] = json.loads(json.dumps(settings))
    changed["agents"]["ana"]["mode"] = mode
    if confirmed:
        changed["ends_enforcement"] = list(confirmed)
    return changed


def warnings(served: Serving) -> list[str]:
    status, page = served.get("/readyz")
    assert status == 200
    assert "ana" not in page  # an agent on this host may read it
    return [each for each in json.loads(page)["warnings"] if "enforce" in each]


def doctor(store: Path) -> list[tuple[bool, str]]:
    items = check_installation(store, now=NOW).items
    return [(e["ok"], e["detail"]) for e in items if e["check"] == "enforcement"]


def recorded(store: Path) -> list[str]:
    with EvidenceStore.open(store, now=NOW, create=False) as opened:
        modes = read_recorded_modes(opened)
        assert modes is not None
        return [f"{e.subject} {e.mode} {e.confirmed}" for e in modes.ended]


def test_a_reload_that_ends_enforcement_is_reported_until_it_is_confirmed(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    store = tmp_path / "store"
    with serving(tmp_path, settings) as served:
        assert warnings(served) == []
        assert "error" in served.call("drop")
        served.configure(with_mode(settings, "shadow"))
        served.reload()
        line = served.hear("enforcement.ended")
        assert line["level"] == "warning"
        assert line["subjects"] == [f"{ANA}: enforce to shadow"]
        assert line["unconfirmed"] == [ANA]
        assert "1 agent" in warnings(served)[0]
        assert recorded(store) == [f"{ANA} shadow False"]
        ((ok, detail),) = doctor(store)
        assert not ok
        assert ANA in detail
    # A restart does not forget it, and neither does a further edit.
    with serving(tmp_path, with_mode(settings, "observe")) as served:
        line = served.hear("enforcement.unconfirmed")
        assert line["subjects"] == [f"{ANA}: enforce to observe"]
        assert "1 agent" in warnings(served)[0]
        served.configure(with_mode(settings, "shadow", "ana"))
        served.reload()
        assert warnings(served) == []
        assert recorded(store) == [f"{ANA} shadow True"]
        assert [ok for ok, _ in doctor(store)] == [True]
        served.configure(settings)
        served.reload()
        assert served.hear("enforcement.restored")["subjects"] == [ANA]
        assert recorded(store) == []


def test_a_start_that_ends_enforcement_is_reported(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings):
        pass
    with serving(tmp_path, with_mode(settings, "observe")) as served:
        line = served.hear("enforcement.ended")
        assert line["subjects"] == [f"{ANA}: enforce to observe"]
        assert len(warnings(served)) == 1


def test_a_confirmation_of_an_agent_that_is_enforced_is_a_fault(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings) as served:
        served.configure(with_mode(settings, "enforce", "ana"))
        served.reload()
        faults = served.hear("config.refused")["faults"]
        assert any("ends_enforcement" in each for each in faults)
