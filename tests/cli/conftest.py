"""Stand-ins for store and flows, so that the door is tested alone."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import answerable
from answerable.cli.main import main
from answerable.model.document import Coverage, Document

ROLE = "arn:aws:iam::111122223333:role/warehouse-reader"
USER = "arn:aws:iam::111122223333:user/report-job"
BUCKET = "arn:aws:s3:::warehouse-customers/*"
OWNER = {"state": "inferred", "person": "person:ana@corp.example", "score": 0.85}
CREDENTIAL = {
    "id": "cred:aws/AKIAIOSFODNN7EXAMPLE",
    "kind": "aws-access-key",
    "place": "~/.cursor/mcp.json",
    "class": "literal",
    "hint": "MPLE",
    "name": "AWS_ACCESS_KEY_ID",
}
TOOL = {
    "id": "tool:mcp/warehouse/*",
    "server": "warehouse",
    "transport": "stdio",
    "target": "npx warehouse-server",
    "enabled": True,
    "unattended": False,
    "inherited": False,
    "credential": CREDENTIAL,
    "credentials": [CREDENTIAL],
    "identity": USER,
    "identities": [USER],
}
HOPS = {
    "person": {
        "value": "person:ana@corp.example",
        "status": "declared",
        "source": "home",
    },
    "agent": {"value": "agent:cursor/ana", "status": "inferred", "source": "home"},
    "tool": {"value": "", "status": "missing", "source": "gateway"},
    "identity": {"value": ROLE, "status": "observed", "source": "cloudtrail"},
    "action": {"value": "s3:GetObject", "status": "observed", "source": "cloudtrail"},
    "resource": {
        "value": "arn:aws:s3:::warehouse-customers/2026/11/eu/a.parquet",
        "status": "observed",
        "source": "cloudtrail",
    },
}
PERMISSION = {
    "subject": USER,
    "action": "s3:GetObject",
    "resource": BUCKET,
    "verdict": "only-if",
    "conditions": [
        {
            "all_of": [
                {
                    "key": "aws:SourceIp",
                    "operator": "IpAddress",
                    "values": ["10.0.0.0/8"],
                    "negated": False,
                    "asserted_by": "platform",
                }
            ]
        }
    ],
    "admin": False,
    "determining": [
        {
            "layer": "identity",
            "policy": "WarehouseRead",
            "statement": "Read",
            "effect": "allow",
        }
    ],
    "path": [
        {
            "from": USER,
            "via": "sts:AssumeRole",
            "to": ROLE,
            "conditions": [],
            "determining": [],
        }
    ],
}


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


def _trace_item() -> dict[str, object]:
    return {
        "event_id": "0193578a00008000a000000000000000",
        "event_time": "2026-11-24T09:00:00Z",
        "source": "cloudtrail",
        "outcome": "success",
        "written_by": "platform",
        "source_ip": "198.51.100.7",
        "credential": "cred:aws/ASIAIOSFODNN7EXAMPLE",
        "agent_path": ["agent:cursor/ana", "agent:cursor/ana/reviewer"],
        "identity_path": [USER, ROLE],
        "credential_path": ["cred:aws/AKIAIOSFODNN7EXAMPLE"],
        "credential_from": None,
        "credential_to": None,
        "decision_id": "",
        "facts": {"region": "eu-west-1"},
        "hops": HOPS,
    }


ITEMS: dict[str, list[dict[str, object]]] = {
    "agents": [
        {
            "id": "agent:cursor/ana",
            "kind": "cursor",
            "name": "cursor",
            "place": "~/.cursor/mcp.json",
            "known": "config",
            "note": "",
            "owner": OWNER,
            "tools": [TOOL],
            "identities": [USER],
            "parent": None,
            "unattended": False,
            "written_by": "person",
        }
    ],
    "tools": [
        {
            "id": "tool:mcp/warehouse/*",
            "agent": "agent:cursor/ana",
            "server": "warehouse",
            "transport": "stdio",
            "target": "npx warehouse-server",
            "enabled": True,
            "unattended": False,
            "credential": None,
            "identities": [USER],
            "written_by": "person",
        }
    ],
    "identities": [
        {
            "id": USER,
            "kind": "aws-user",
            "name": "report-job",
            "account": "111122223333",
            "owner": OWNER,
            "agents": ["agent:cursor/ana"],
            "credentials": ["cred:aws/AKIAIOSFODNN7EXAMPLE"],
            "created_at": "2024-01-01T00:00:00Z",
            "last_used_at": None,
            "tags": {"team": "data"},
            "written_by": "platform",
        }
    ],
    "credentials": [
        {
            "id": "cred:aws/AKIAIOSFODNN7EXAMPLE",
            "kind": "aws-access-key",
            "class": "literal",
            "lifetime": "static",
            "hint": "MPLE",
            "account": "111122223333",
            "status": "active",
            "identity": None,
            "how": "account 111122223333, principal not collected",
            "owner": {"state": "none", "person": None, "score": 0.0},
            "places": [
                {"place": "~/.cursor/mcp.json", "name": "KEY", "written_by": "person"}
            ],
            "created_at": "2024-01-01T00:00:00Z",
            "expires_at": None,
            "last_used_at": None,
        }
    ],
    "people": [
        {
            "id": "person:ana@corp.example",
            "name": "Ana",
            "aliases": ["ana"],
            "team": False,
            "alive": True,
            "owns": [USER],
        }
    ],
    "who-owns": [
        {
            "id": USER,
            "state": "inferred",
            "person": "person:ana@corp.example",
            "score": 0.85,
            "margin": 0.4,
            "candidates": [
                {
                    "person": "person:ana@corp.example",
                    "score": 0.85,
                    "evidence": [
                        {
                            "kind": "config-in-home",
                            "source": "home:~",
                            "place": "~/.cursor/mcp.json",
                            "reference": "ana",
                            "observed_at": "2026-11-24T08:00:00Z",
                            "weight": 0.85,
                            "written_by": "person",
                        }
                    ],
                }
            ],
        }
    ],
    "reach": [PERMISSION],
    "who-can": [PERMISSION],
    "can": [{**PERMISSION, "coverage": coverage()}],
    "scan": [
        {
            "source": "home:~",
            "agents": 1,
            "tools": 1,
            "credentials": 1,
            "identities": 0,
            "policies": 0,
            "problems": [],
            "snapshot": "2026-11-24T10-00-00Z",
        }
    ],
    "where": [
        {"source": "home:~", "place": "~/.cursor/mcp.json", "what": "", "found": True},
        {"source": "home:~", "place": "~/.codex", "what": "Codex", "found": False},
        {"source": "aws:", "place": "iam", "what": "a call", "found": None},
    ],
    "ingest": [
        {
            "source": "cloudtrail:trail",
            "read": 2900,
            "stored": 2890,
            "duplicate": 10,
            "conflict": 0,
            "quarantined": 0,
            "skipped": 0,
            "files": 3,
            "segments": 1,
            "seconds": 0.25,
        }
    ],
    "trace": [_trace_item(), _trace_item()],
    "trace-score": [
        {
            "source": "cloudtrail",
            "hop": "agent",
            "events": 3,
            "observed": 0,
            "declared": 2,
            "inferred": 0,
            "missing": 1,
            "can": "no",
            "supplied_by": "agent configurations",
        }
    ],
    "sql": [{"a": 1, "b": None}, {"a": 2, "b": "x"}],
    "verify": [{"check": "segments", "ok": True, "detail": "3 of 3", "hint": ""}],
    "prove": [
        {
            "event_id": "01" * 16,
            "event": '{"action":"s3:GetObject"}',
            "leaf": "aa" * 32,
            "segment": "s1",
            "row": 3,
            "rows": 9,
            "path": ["bb" * 32],
            "event_root": "cc" * 32,
            "log_index": 2,
            "log_size": 4,
            "log_path": ["dd" * 32, "ee" * 32],
            "log_root": "ff" * 32,
            "checkpoint": "here\n4\nxyz\n",
        }
    ],
    "checkpoint": [
        {
            "origin": "here",
            "size": 3,
            "root": "ff" * 32,
            "key": "here+1+abc",
            "note": "here\n3\nxyz\n",
        }
    ],
    "bundle": [
        {
            "events": 1,
            "segments": 1,
            "log_size": 4,
            "key": "here+1+abc",
            "bundle": '{"a": [1]}\n',
        }
    ],
    "doctor": [{"check": "disk", "ok": False, "detail": "full", "hint": "make room"}],
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
    "reach": ("reach", USER),
    "can": ("can", USER, "s3:GetObject", BUCKET),
    "who-can": ("who-can", "s3:GetObject", BUCKET),
    "ingest": ("ingest", "cloudtrail:trail"),
    "trace": ("trace",),
    "trace-score": ("trace", "--score"),
    "sql": ("sql", "select 1"),
    "verify": ("evidence", "verify"),
    "prove": ("evidence", "prove", "01"),
    "checkpoint": ("evidence", "checkpoint"),
    "bundle": ("evidence", "bundle", "01"),
    "doctor": ("doctor",),
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
    "reach": {"reach": "reach", "can": "can", "who_can": "who-can"},
    "ingest": {"ingest": "ingest"},
    "trace": {"trace": "trace", "score": "trace-score"},
    "sql": {"sql": "sql"},
    "prove": {k: k for k in ("verify", "prove", "checkpoint", "bundle")},
    "doctor": {"doctor": "doctor"},
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
    package.trace.Question = SimpleNamespace  # type: ignore[attr-defined]  # a stand-in module
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
