"""Stand-ins for store and flows, so that the door is tested alone."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import answerable
from answerable.cli import signing
from answerable.cli.main import main
from answerable.flows import given
from answerable.model.document import Coverage, Document

USER = "arn:aws:iam::111122223333:user/report-job"
BUCKET = "arn:aws:s3:::warehouse-customers/*"

# One document of every kind, as its flow would answer.
ITEMS: dict[str, list[dict[str, object]]] = json.loads(
    (Path(__file__).parent / "documents.json").read_text(encoding="utf-8")
)


def coverage(partial: bool = False) -> Coverage:
    return {
        "partial": partial,
        "sources": [
            {
                "source": "aws:account.json",
                "at": "2026-11-24T08:00:00Z",
                "age_s": 7200,
                "problems": ["no such page"] if partial else [],
            },
            {
                "source": "home:~",
                "at": "2026-11-24T10:00:00Z",
                "age_s": 3,
                "problems": [],
            },
        ],
        "seen": ["identity-policies"],
        "not_collected": ["scp"],
    }


# Every command, with words that make it run, and the kind it answers with.
COMMANDS: dict[str, tuple[str, ...]] = {
    "scan": ("scan",),
    "where": ("where",),
    "agents": ("agents",),
    "identities": ("identities",),
    "credentials": ("credentials",),
    "people": ("people",),
    "tools": ("tools",),
    "who-owns": ("who-owns", USER),
    "owner-keys": ("owner-keys", "list"),
    "reach": ("reach", USER),
    "reach-used": ("reach", USER, "--used"),
    "reach-compared": ("reach", "--compare-aws"),
    "can": ("can", USER, "s3:GetObject", BUCKET),
    "who-can": ("who-can", "s3:GetObject", BUCKET),
    "reach-all": ("reach", "--all"),
    "what-if": ("what-if", USER, "--without", "WarehouseRead#Read"),
    "what-if-cuts": ("what-if", USER, "--cuts", BUCKET),
    "ingest": ("ingest", "cloudtrail:trail"),
    "trace": ("trace",),
    "trace-score": ("trace", "--score"),
    "trace-by": ("trace", "--by", "agent,action"),
    "trace-unmediated": ("trace", "--unmediated"),
    "decision": ("decision", "019a2b3c"),
    "baselines": ("baseline", "learn", "teller"),
    "baseline": ("baseline", "show", "teller"),
    "baseline-diff": ("baseline", "diff", "9f9f"),
    "baseline-replay": ("baseline", "replay", "teller"),
    "baseline-check": ("baseline", "check", USER),
    "requests": ("requests",),
    "asks": ("asks",),
    "amendments": ("asks", "amendments"),
    "sql": ("sql", "select 1"),
    "verify": ("evidence", "verify"),
    "prove": ("evidence", "prove", "01"),
    "checkpoint": ("evidence", "checkpoint"),
    "bundle": ("evidence", "bundle", "01"),
    "doctor": ("doctor",),
    "login": ("login", "--status"),
}


def document(kind: str, partial: bool = False) -> Document:
    return Document(kind, ITEMS[kind], coverage(partial), next="answerable agents")


class Flows:
    """Flows that answer what a test tells them to, and keep what they were asked."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {}
        self.answers: dict[str, Document | BaseException] = {}

    def flow(self, kind: str) -> Callable[..., Document]:
        def answer(*args: object, **named: object) -> Document:
            self.asked[kind] = (args, named)
            given = self.answers.get(kind, document(kind))
            if isinstance(given, BaseException):
                raise given
            return given

        return answer

    def partial(self, kind: str) -> None:
        self.answers[kind] = document(kind, partial=True)

    def failed(self, kind: str, partial: bool = False) -> None:
        self.answers[kind] = replace(document(kind, partial), failed=True)


FLOWS: dict[str, dict[str, str]] = {
    "scan": {"scan": "scan"},
    "where": {"where": "where"},
    "lists": {k: k for k in ("agents", "identities", "credentials", "people", "tools")},
    "ownership": {"who_owns": "who-owns", "attest": "who-owns"},
    "owner_keys": {"listed": "owner-keys"},
    "reach": {"reach": "reach", "can": "can", "who_can": "who-can"},
    "reach_all": {"reach_all": "reach-all"},
    "what_if": {"what_if": "what-if"},
    "cuts": {"cuts": "what-if-cuts"},
    "used": {"used": "reach-used"},
    "compare": {"compare": "reach-compared"},
    "ingest": {"ingest": "ingest"},
    "trace": {"trace": "trace", "score": "trace-score"},
    "trace_counts": {"count_by": "trace-by"},
    "unmediated": {"unmediated": "trace-unmediated"},
    "decision": {"decision": "decision"},
    "asks": {"asks": "asks", "amendments": "amendments"},
    "baseline": {"learn": "baselines", "show": "baseline", "diff": "baseline-diff"},
    "requests": {"listed": "requests"},
    "baseline_replay": {"replay": "baseline-replay"},
    "baseline_check": {"check": "baseline-check"},
    "sql": {"sql": "sql"},
    "prove": {k: k for k in ("verify", "prove", "checkpoint", "bundle")},
    "doctor": {"doctor": "doctor"},
    "login": {"status": "login"},
}


class _Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path, *, now: int, create: bool = True) -> "_Store":
        return cls(root)

    def __enter__(self) -> "_Store":
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def flows(monkeypatch: pytest.MonkeyPatch) -> Flows:
    """Put stand-ins in the place of store and flows."""
    flows = Flows()
    package = ModuleType("answerable.flows")
    monkeypatch.setattr(answerable, "flows", package, raising=False)
    monkeypatch.setitem(sys.modules, "answerable.flows", package)
    for name, functions in FLOWS.items():
        module = ModuleType(f"answerable.flows.{name}")
        for function, kind in functions.items():
            setattr(module, function, flows.flow(kind))
        setattr(package, name, module)
    # Whoever runs the tests may be an agent.
    monkeypatch.setattr(signing, "only_a_person", lambda *_: None)
    package.login.login_folder = lambda environ, home: home  # type: ignore[attr-defined]  # a stand-in module
    package.policy_edit = SimpleNamespace(Edit=SimpleNamespace)  # type: ignore[attr-defined]
    package.trace.Question = SimpleNamespace  # type: ignore[attr-defined]  # a stand-in module
    package.given = given  # type: ignore[attr-defined]  # pure, and read as it is
    package.snapshots = SimpleNamespace(  # type: ignore[attr-defined]  # a stand-in module
        load=lambda store, name="": SimpleNamespace(root=store.root, name=name)
    )
    store = ModuleType("answerable.store.store")
    store.Store = _Store  # type: ignore[attr-defined]  # a stand-in module
    monkeypatch.setitem(sys.modules, "answerable.store", ModuleType("answerable.store"))
    monkeypatch.setitem(sys.modules, "answerable.store.store", store)
    return flows


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command in this process."""

    def run(*words: str, env: Mapping[str, str] | None = None) -> Ran:
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def commands() -> Mapping[str, Sequence[str]]:
    """Every command by the kind of its answer."""
    return COMMANDS
