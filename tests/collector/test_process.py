"""The collector as a process: schedules, failures, hangs, reload, drain, SIGKILL."""

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from answerable.cli.main import main
from answerable.collector.settings import load_settings
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.model.collection import SourceState
from answerable.model.errors import UsageError
from answerable.store.collection_state import read_source_states, write_source_states
from answerable.store.store import EvidenceStore
from tests.attacks.operations.service_manager import manager
from tests.collector.log_files import write_log
from tests.collector.running_collector import collecting, wait_until, write_config
from tests.gateway.serve.running_gateway import configuration, serving

DAY = 86_400
ROOT = Path(__file__).parents[1]
ACCOUNT = ROOT / "data" / "aws" / "account.json"


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".claude.json").write_text('{"mcpServers": {}}')
    (tmp_path / "code").mkdir()
    write_log(tmp_path / "logs" / "1.json", 0, 10)
    return tmp_path


def often(source: str) -> dict[str, object]:
    return {"source": source, "every": 1}


def count_events(folder: Path) -> tuple[int, int]:
    """Count the events, and the ones with different ids."""
    with EvidenceStore.open(folder / "store", now=1, create=False) as store:
        ((events, ids),) = store.run_query(
            "SELECT count(*), count(DISTINCT native_id) FROM events"
        )
    return int(str(events)), int(str(ids))


def ask(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    main(["--store", str(folder / "store"), *words, "-o", "json"])
    return json.loads(capsys.readouterr().out)


def list_problems(answer: Any, name: str) -> list[str]:
    sources = answer["coverage"]["sources"]
    found = [s["problems"] for s in sources if s["source"].startswith(f"{name}:")]
    return found[0] if found else []


def test_sources_are_read_on_schedule_fail_and_come_back(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "sources": [
            often("home:home"),
            "repo:code",
            f"aws:{ACCOUNT}",
            often("cloudtrail:logs"),
        ]
    }
    with collecting(estate, settings) as running:
        for source in ("home", "repo", "aws", "cloudtrail"):
            running.hear("source.collected", source)
        assert running.get("/readyz")[0] == 200
        assert running.get("/healthz", host="evil.example")[0] == 421
        assert running.get("/nothing")[0] == 404
        assert count_events(estate) == (10, 10)
        assert not ask(estate, capsys, "agents")["coverage"]["partial"]

        write_log(estate / "logs" / "2.json", 10, 5)
        running.hear("source.collected", "cloudtrail", stored=5)
        assert running.metric("events_stored_total", "cloudtrail") == 15
        assert running.source("repo")["failures"] == 0
        assert running.metric("runs_total", "repo", outcome="success") == 1

        (estate / "logs").rename(estate / "away")
        (estate / "home").rename(estate / "home-away")
        failed = running.hear("source.failed", "cloudtrail", failures=2)
        assert "logs" in failed["why"]
        running.hear("source.failed", "home")
        assert running.source("cloudtrail")["failures"] >= 2
        assert running.metric("failures", "cloudtrail") >= 2
        answer = ask(estate, capsys, "agents")
        assert answer["coverage"]["partial"]
        for source in ("home", "cloudtrail"):
            assert "its last scheduled run failed" in list_problems(answer, source)[0]
        assert list_problems(answer, "repo") == []

        before = len(running.log)
        (estate / "away").rename(estate / "logs")
        (estate / "home-away").rename(estate / "home")
        running.hear("source.collected", "cloudtrail", before)
        running.hear("source.collected", "home", before)
        assert running.source("cloudtrail")["failures"] == 0
        assert not ask(estate, capsys, "agents")["coverage"]["partial"]
        running.process.terminate()
        assert running.process.wait(60) == 0
        assert running.log[-1]["event"] == "collector.ended"
    assert count_events(estate) == (15, 15)


def test_a_run_that_hangs_is_killed_at_its_deadline_and_the_others_go_on(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A live source, at an endpoint that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        hanging = {"source": "aws:", "every": 1, "deadline": 3, "retry": 1}
        settings = {"sources": [hanging, often("cloudtrail:logs")]}
        with collecting(estate, settings, env) as running:
            failed = running.hear("source.failed", "aws")
            assert failed["why"] == "the run exceeded 3 s and was killed"
            running.hear("source.failed", "aws", failures=2)
            running.hear("source.collected", "cloudtrail", len(running.log))
            wait_until(lambda: running.get("/readyz")[0] == 503)
            content = json.loads(running.get("/readyz")[1])
            assert content["reasons"] == ["aws: is late: never read"]
            assert running.metric("late", "aws") == 1
            assert running.metric("late", "cloudtrail") == 0
            problems = list_problems(ask(estate, capsys, "agents"), "aws")
            assert "exceeded 3 s" in problems[0]
            assert "never read" in problems[1]
            # One run of a source at a time, and none is left over.
            assert len(running.children()) <= 2
            running.configure({"sources": [{**hanging, "deadline": 300}]})
            wait_until(lambda: len(running.children()) == 1)
            assert running.source("aws")["running"]
            (run,) = running.children()
            running.process.send_signal(signal.SIGKILL)
            wait_until(lambda: is_gone(run))


def test_after_sigkill_in_a_run_nothing_is_lost_or_stored_twice(estate: Path) -> None:
    """The run dies with the collector. The next start reads it again, SIGTERM or not."""
    for number in range(2, 12):
        write_log(estate / "logs" / f"{number}.json", number * 2000, 2000)
    settings = {"sources": ["cloudtrail:logs"], "limits": {"drain": 60}}
    journal = estate / "store" / "journal"
    with collecting(estate, settings) as running:
        wait_until(lambda: any(p.stat().st_size > 4096 for p in journal.glob("*.log")))
        (run,) = running.children()
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        wait_until(lambda: is_gone(run))
        assert not any(e["event"] == "source.collected" for e in running.log)
    with collecting(estate, settings) as running:
        wait_until(running.children)
        running.process.terminate()  # the run in progress is finished
        assert running.process.wait(60) == 0
    events = [line["event"] for line in running.log]
    assert events[-3:] == ["collector.ending", "source.collected", "collector.ended"]
    assert running.log[-2]["outcome"] == "success"
    assert count_events(estate) == (20_010, 20_010)
    assert main(["--store", str(estate / "store"), "evidence", "verify"]) == 0


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; perhaps nothing has waited for it yet."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_a_reload_adds_and_removes_sources_and_a_fault_changes_nothing(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with collecting(estate, {"sources": ["repo:gone", "home:home"]}) as running:
        running.hear("source.failed", "repo")
        running.configure({"sources": ["home:home", "nome:home"]})
        (fault,) = running.hear("config.refused")["faults"]
        assert fault.endswith(
            "sources[1]: expected a source of scan or ingest; did you mean home:?"
        )
        assert running.source("repo")["failures"]
        running.configure({"sources": ["home:home", "cloudtrail:logs"]})
        running.hear("source.collected", "cloudtrail")
        sources = json.loads(running.get("/readyz")[1])["sources"]
        assert [s["source"] for s in sources] == [
            f"home:{estate}/home",
            f"cloudtrail:{estate}/logs",
        ]
        # A source that is no longer scheduled makes no answer partial.
        assert not ask(estate, capsys, "agents")["coverage"]["partial"]


def test_missed_runs_make_the_source_late_and_are_one_run_after_the_start(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with collecting(estate, {"sources": ["cloudtrail:logs", "repo:gone"]}) as running:
        running.hear("source.collected", "cloudtrail")
        running.hear("source.failed", "repo", failures=2)
        running.process.terminate()
        assert running.process.wait(60) == 0
    with EvidenceStore.open(estate / "store", now=1, create=False) as store:
        write_source_states(
            store.layout,
            [go_back(each, 3 * DAY) for each in read_source_states(store.layout)],
        )
    (problem,) = list_problems(ask(estate, capsys, "agents"), "cloudtrail")
    assert problem.startswith("unreadable: late by 47 h: last read at ")
    with collecting(estate, {"sources": ["cloudtrail:logs", "repo:gone"]}) as running:
        assert running.hear("source.failed", "repo")["failures"] >= 3
        running.hear("source.collected", "cloudtrail")
        assert list_problems(ask(estate, capsys, "agents"), "cloudtrail") == []
        running.hear("source.failed", "repo", len(running.log))
        assert running.metric("runs_total", "cloudtrail", outcome="success") == 1


def go_back(state: SourceState, seconds: int) -> SourceState:
    """Move a state into the past."""
    names = ("since", "late_after", "succeeded_at", "failed_at")
    times = {name: getattr(state, name) for name in names}
    return replace(
        state, **{name: at - seconds * 10**9 for name, at in times.items() if at}
    )


def test_a_store_has_one_collector(estate: Path) -> None:
    with collecting(estate, {"sources": ["home:home"]}) as running:
        running.hear("source.collected", "home")
        config = ("--config", str(estate / "answerable.yaml"))
        assert main(["serve", "--only", "collector", *config]) == 5


def test_it_notifies_the_service_manager(estate: Path) -> None:
    name = str(estate / "notify")
    with (
        manager(name) as heard,
        collecting(estate, {"sources": ["home:home"]}, {"NOTIFY_SOCKET": name}) as run,
    ):
        assert heard.hear("READY")["MAINPID"] == str(run.process.pid)
        run.process.send_signal(signal.SIGHUP)
        heard.hear("RELOADING")
        heard.hear("READY", 2)
        run.process.terminate()
        heard.hear("STOPPING")
        assert run.process.wait(60) == 0


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["home:home", {"source": "hoem:home", "every": 5}], "did you mean home:?"),
        ([{"source": "cloudtrail:-", "every": 5}], "a file or a folder"),
        ([{"source": "cloudtrail", "every": 5}], "a file or a folder"),
    ],
)
def test_a_source_that_cannot_be_read_is_a_fault_of_the_file(
    tmp_path: Path, sources: list[object], says: str
) -> None:
    write_config(tmp_path, {"sources": sources})
    with pytest.raises(ConfigError) as raised:
        load_settings(str(tmp_path / "answerable.yaml"), tmp_path / "store", None)
    (line,) = raised.value.lines
    assert says in line
    assert f"answerable.yaml:{line.split(':')[1]}:" in line


def test_without_a_schedule_there_is_nothing_to_serve(tmp_path: Path) -> None:
    write_config(tmp_path, {"sources": ["home:home"], "schedule": {}})
    with pytest.raises(UsageError, match="has a schedule"):
        load_settings(str(tmp_path / "answerable.yaml"), tmp_path / "store", None)
    assert os.listdir(tmp_path) == ["answerable.yaml"]


def test_serve_keeps_it_beside_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    settings = configuration(
        9,
        sources=[{"source": "repo:code", "every": "1h"}],
        collector={"listen": [{"address": "127.0.0.1:0"}]},
    )
    with serving(tmp_path, settings, lines=4) as served:
        served.hear("source.collected")
        assert served.collector  # type: ignore[attr-defined]
        assert json.loads(served.get("/readyz")[1])["ready"]
        settings["sources"] = [{"source": "repo:gone", "every": "1h"}]
        served.configure(settings)
        served.process.send_signal(signal.SIGHUP)
        assert served.hear("source.failed")["source"] == f"repo:{tmp_path}/gone"
        assert served.end() == 0
