"""Stand-ins for store and flows, so that the door is tested alone."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from answerable.cli import signing
from answerable.cli.main import main
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


# Use cases that commands call, by the kind of their answer.
FLOWS: dict[str, str] = {
    "answerable.flows.scan:scan": "scan",
    "answerable.flows.where:where": "where",
    "answerable.flows.lists:agents": "agents",
    "answerable.flows.lists:identities": "identities",
    "answerable.flows.lists:credentials": "credentials",
    "answerable.flows.lists:people": "people",
    "answerable.flows.lists:tools": "tools",
    "answerable.flows.ownership:who_owns": "who-owns",
    "answerable.flows.ownership:attest": "who-owns",
    "answerable.flows.owner_keys:listed": "owner-keys",
    "answerable.flows.reach:reach": "reach",
    "answerable.flows.reach:can": "can",
    "answerable.flows.reach:who_can": "who-can",
    "answerable.flows.reach_all:reach_all": "reach-all",
    "answerable.flows.what_if:what_if": "what-if",
    "answerable.flows.cuts:cuts": "what-if-cuts",
    "answerable.flows.used:used": "reach-used",
    "answerable.flows.compare:compare": "reach-compared",
    "answerable.flows.ingest:ingest": "ingest",
    "answerable.flows.trace:trace": "trace",
    "answerable.flows.trace:score": "trace-score",
    "answerable.flows.trace:Question": "",
    "answerable.flows.trace_counts:count_by": "trace-by",
    "answerable.flows.unmediated:unmediated": "trace-unmediated",
    "answerable.flows.decision:decision": "decision",
    "answerable.flows.asks:asks": "asks",
    "answerable.flows.asks:amendments": "amendments",
    "answerable.flows.baseline:learn": "baselines",
    "answerable.flows.baseline:show": "baseline",
    "answerable.flows.baseline:diff": "baseline-diff",
    "answerable.flows.requests:listed": "requests",
    "answerable.flows.baseline_replay:replay": "baseline-replay",
    "answerable.flows.baseline_check:check": "baseline-check",
    "answerable.flows.policy_edit:Edit": "",
    "answerable.flows.sql:sql": "sql",
    "answerable.flows.prove:verify": "verify",
    "answerable.flows.prove:prove": "prove",
    "answerable.flows.prove:checkpoint": "checkpoint",
    "answerable.flows.prove:bundle": "bundle",
    "answerable.flows.doctor:doctor": "doctor",
    "answerable.flows.login:status": "login",
}
# Other functions that commands call, with what they return here.
OTHERS: dict[str, Callable[..., object]] = {
    "answerable.flows.login:login_folder": lambda environ, home: home,
    "answerable.flows.snapshots:load": lambda store, name="", **_: SimpleNamespace(
        root=store.root, name=name
    ),
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
    stubs: dict[str, ModuleType] = {}
    for place, kind in FLOWS.items():
        module, _, name = place.partition(":")
        stub = stubs.setdefault(module, ModuleType(module))
        setattr(stub, name, flows.flow(kind) if kind else SimpleNamespace)
    lists = stubs["answerable.flows.lists"]
    lists.BY_KIND = dict(vars(lists))  # type: ignore[attr-defined]
    for place, function in OTHERS.items():
        module, _, name = place.partition(":")
        setattr(stubs.setdefault(module, ModuleType(module)), name, function)
    for module, stub in stubs.items():
        package, _, name = module.rpartition(".")
        monkeypatch.setattr(import_module(package), name, stub, raising=False)
        monkeypatch.setitem(sys.modules, module, stub)
    # Whoever runs the tests may be an agent.
    monkeypatch.setattr(signing, "only_a_person", lambda *_: None)
    store = ModuleType("answerable.store.store")
    store.Store = _Store  # type: ignore[attr-defined]  # a stand-in module
    package = ModuleType("answerable.store")
    # Its other modules stay: a command may be the first to import one.
    package.__path__ = import_module("answerable.store").__path__
    monkeypatch.setitem(sys.modules, "answerable.store", package)
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
