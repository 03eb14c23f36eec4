"""Laws of `protect status`, `tighten` and `loosen`: missing facts, intent, secrets.

The three sources of these documents are the wrappers' records, the logs of platforms
and the clients' files. With one removed no number becomes 0 and no list empty. What an
agent could have written (records of a hook, words about itself) changes no number that
leads to enforcement, no mode and no rule. No secret of a home is in any of them.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.cli.app import app
from answerable.connectors.config.fetch import read_config_file
from answerable.model.config import Config, DeclaredAgent
from answerable.model.ids import build_event_id
from answerable.model.log_sources import get_log_source_of_recorder
from answerable.model.spool_record import (
    CallBehaviour,
    CallEndRecord,
    CallOutcome,
    CallResult,
    DecisionRecord,
    SpoolRecord,
)
from answerable.server import client_protection_status
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from answerable.usecases.protection import agent_modes, status
from tests.connectors.gateway.spool_files import (
    ACT,
    ALLOW,
    CALLER,
    DENY,
    NAME,
    closed,
    opened,
    spelled,
    write,
)
from tests.laws.removal import faults

KEY_ID = "AKIAQXWZ7K3PM4TR9VND"
CANARY = "w9Fh2kLq8Zr4Tn6Yb1Vc3Xd5Ge7Jm0PsAaUuIiOo"
SECOND = 10**9
TOOLS = {"read_order": ALLOW, "delete_order": DENY}


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert CANARY not in done.output
    return done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A protected home whose server has an AWS key."""
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\temail = ana@corp.example\n")
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": CANARY}
    servers = {"orders": {"command": "orders-server", "env": keys}}
    (home / ".cursor/mcp.json").write_text(json.dumps({"mcpServers": servers}))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    assert "files written" in run("protect", "--yes")
    for path in (home / ".config/answerable/secrets").iterdir():
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    return home


def config_of(home: Path) -> tuple[Config, DeclaredAgent]:
    config = read_config_file(str(home / ".config/answerable/answerable.yaml")).config
    assert config is not None
    (agent,) = config.agents
    return config, agent


def record(
    home: Path,
    now: int,
    *,
    recorder: str = NAME,
    run_id: str = "run-1",
    tools: Mapping[str, Any] = TOOLS,
    server: str = "orders",
) -> None:
    """Record calls of the agent, as a wrapper or a hook does."""
    _, agent = config_of(home)
    caller = replace(CALLER, agent=agent.id, run=run_id)
    records: list[SpoolRecord] = [opened(name=recorder)]
    window = RecentResultWindow({})
    window.begin_run(run_id, now)
    for tool, decision in tools.items():
        number, at = len(records) + 1, now - 3600 * SECOND + len(records) * SECOND
        seen = window.observe_call(run_id, f"{number}", at, f"{server}/{tool}", {})
        acted = CallBehaviour(replace(seen, size=0, records=0, untrusted=False), "", 60)
        act = msgspec.structs.replace(ACT, server=server, name=tool, acted=acted)
        source = get_log_source_of_recorder(recorder)
        key = build_event_id(at, source, recorder, str(number).encode()).hex()
        records.append(DecisionRecord(number, at, key, caller, act, decision))
        end = CallResult(CallOutcome.COMPLETED, 200, came=True, text=1)
        records.append(CallEndRecord(number + 1, at + 1, number, end))
    spool = home.parent / f"spool-{recorder}"
    write(spool, spelled([*records, closed(len(records) + 1)], recorder), recorder)
    with EvidenceStore.open(home.parent / "store", now=now) as store:
        ship_spool(store, spool, now=now)


def use_key(home: Path) -> None:
    """Ingest a record of the key's use in CloudTrail, an hour ago."""
    used = {
        "eventVersion": "1.08",
        "eventTime": time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3500)
        ),
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli",
        "eventID": "0a5c9f61-73c4-4f6e-9f0e-000000000001",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/orders-bot",
            "accountId": "111122223333",
            "accessKeyId": KEY_ID,
            "userName": "orders-bot",
        },
        "requestParameters": None,
        "responseElements": None,
    }
    place = home / "trail.json"
    place.write_text(json.dumps({"Records": [used]}))
    run("ingest", f"cloudtrail:{place}")


def status_of(home: Path, *, removed: str = "") -> dict[str, Any]:
    """The document of `protect status`, with one source removed."""
    path = home / ".config/answerable/answerable.yaml"
    plan = client_protection_status.plan_present_files(path, home, None)
    config, _ = config_of(home)
    now = time.time_ns()
    if removed == "store":
        made = client_protection_status.load_protection_status(plan, config, None, now)
    else:
        with EvidenceStore.open(home.parent / "store", now=now) as store:
            made = client_protection_status.load_protection_status(
                plan,
                config,
                store,
                now,
                complete=removed != "spool",
                records_missing=removed == "spool",
            )
    return {"items": list(made.items), "coverage": made.coverage}


def row(document: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in document["items"] if each["server"] == "orders"]
    return dict(found)


def broken_removals(home: Path) -> list[str]:
    """Name each number that is 0, or list that is empty, since a source is removed."""
    found = []
    full = status_of(home)
    assert row(full)["would_deny"] == 1
    assert row(full)["runs"] == 1
    assert row(full)["state"] == "bypass"
    for removed in ("store", "spool"):
        less = status_of(home, removed=removed)
        found += faults("protect-status", full, less)
        if row(less)["key_uses_unmediated"] == 0:
            found.append("the key is not used")
        if "gateway" not in less["coverage"]["not_collected"]:
            found.append("the missing records are not named")
    return found


def facts_for_enforcement(home: Path) -> dict[str, Any]:
    """All that leads to a mode, a rule or a signature."""
    config, agent = config_of(home)
    path = Path(config.place)
    present = agent_modes.PresentConfig(config, path.read_bytes(), home)
    now = time.time_ns()
    with EvidenceStore.open(home.parent / "store", now=now) as store:
        change = agent_modes.plan_tighter_mode(present, agent, store, now, min_runs=1)
    document = agent_modes.build_mode_document(change)
    known = row(status_of(home))
    names = ("state", "mode", "runs", "calls", "would_deny", "key_uses_unmediated")
    return {
        "file": change.plan.changes[0].after,
        "rules": list(document.items),
        "row": {name: known[name] for name in (*names, "next", "detail")},
    }


def say_more(home: Path) -> None:
    """Have the agent write of itself: calls of a hook, that nobody else saw."""
    tools = dict.fromkeys(("read_order", "drop_orders", "Bash"), ALLOW)
    for number in range(3):
        record(
            home,
            time.time_ns(),
            recorder=f"hook-{number:016x}",
            run_id=f"claimed-{number}",
            tools=tools,
            server="orders",
        )


@pytest.fixture
def recorded(home: Path) -> Path:
    now = time.time_ns()
    record(home, now)
    record(home, now, recorder="0" * 16, run_id="run-2", tools={"read_order": ALLOW})
    use_key(home)
    return home


def test_a_removed_source_makes_no_number_zero(recorded: Path) -> None:
    assert broken_removals(recorded) == []


def test_an_agents_own_records_change_nothing_that_leads_to_enforcement(
    recorded: Path,
) -> None:
    before = facts_for_enforcement(recorded)
    assert b"read_order" in before["file"]
    assert b"delete_order" not in before["file"]
    say_more(recorded)
    assert "self-reported" in run("sql", "select distinct written_by from lineage")
    assert facts_for_enforcement(recorded) == before


def test_no_document_has_a_secret(recorded: Path) -> None:
    for form in ("table", "json", "ndjson", "csv"):
        for words in (("protect", "status"), ("doctor",)):
            assert CANARY not in run(*words, "-o", form)
    documents = [status_of(recorded), facts_for_enforcement(recorded)]
    assert CANARY not in repr(documents)


# Each of these breaks a law, and the law finds it.


def _missing_records_are_none(patch: pytest.MonkeyPatch) -> None:
    read = status.build_protection_status

    def believing(*words: Any, **more: Any) -> Any:
        made = read(*words, **more)
        zero = {"runs": 0, "calls": 0, "would_deny": 0}
        items = [
            {**each, **{k: each[k] or v for k, v in zero.items()}}
            for each in made.items
        ]
        return replace(made, items=items)

    patch.setattr(client_protection_status, "build_protection_status", believing)


def _missing_records_mean_no_call(patch: pytest.MonkeyPatch) -> None:
    load = client_protection_status.load_protection_status

    def believing(*words: Any, **more: Any) -> Any:
        return load(*words, **{**more, "records_missing": False})

    patch.setattr(client_protection_status, "load_protection_status", believing)


@pytest.mark.parametrize(
    "plant", [_missing_records_are_none, _missing_records_mean_no_call]
)
def test_a_planted_zero_is_found(
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[pytest.MonkeyPatch], None],
) -> None:
    plant(monkeypatch)
    assert broken_removals(recorded)


def test_a_planted_belief_in_a_hook_is_found(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = agent_modes.list_called_targets

    def believing(*words: Any, **more: Any) -> Any:
        return listed(*words, **{**more, "from_mediators": False})

    monkeypatch.setattr(agent_modes, "list_called_targets", believing)
    before = facts_for_enforcement(recorded)
    say_more(recorded)
    assert facts_for_enforcement(recorded) != before


def test_a_planted_secret_is_found(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "format_command", lambda *_: CANARY)
    with pytest.raises(AssertionError):
        test_no_document_has_a_secret(recorded)
