"""Stand-ins for store and flows, so that the door is tested alone."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType, SimpleNamespace

import pytest

from answerable.cli import commands as commands_package
from answerable.cli import signing
from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.documents.shared_shapes import CoverageRecord, Document

USER = "arn:aws:iam::111122223333:user/report-job"
BUCKET = "arn:aws:s3:::warehouse-customers/*"

# One document of every kind, as its flow would answer.
ITEMS: dict[str, list[dict[str, object]]] = json.loads(
    (Path(__file__).parent / "documents.json").read_text(encoding="utf-8")
)


def coverage(partial: bool = False) -> CoverageRecord:
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
    "show": ("show", USER),
    "owner-keys": ("owner-keys", "list"),
    "reach": ("reach", USER),
    "reach-used": ("reach", USER, "--used"),
    "reach-compared": ("reach", "--compare-aws"),
    "least-privilege": ("least-privilege", USER),
    "plan": ("plan",),
    "can": ("can", USER, "s3:GetObject", BUCKET),
    "who-can": ("who-can", "s3:GetObject", BUCKET),
    "reach-all": ("reach", "--all"),
    "findings": ("findings",),
    "finding-trend": ("findings", "trend"),
    "diff": ("diff", "@latest", "@latest"),
    "export": ("export", "--to", "csv", "out"),
    "what-if": ("what-if", USER, "--without", "WarehouseRead#Read"),
    "what-if-cuts": ("what-if", USER, "--cuts", BUCKET),
    "ingest": ("ingest", "cloudtrail:trail"),
    "trace": ("trace",),
    "trace-score": ("trace", "--score"),
    "trace-by": ("trace", "--by", "agent,action"),
    "trace-first-seen": ("trace", "--first-seen", "--since", "1d"),
    "saved-queries": ("trace", "--saved"),
    "trace-compare": ("trace", "--compare", "14d..7d", "--since", "7d"),
    "trace-unmediated": ("trace", "--unmediated"),
    "cases": ("case", "list"),
    "case": ("case", "show", "9f9f"),
    "case-bundle": ("case", "bundle", "9f9f"),
    "decision": ("decision", "019a2b3c"),
    "baselines": ("baseline", "learn", "teller"),
    "baseline": ("baseline", "show", "teller"),
    "baseline-diff": ("baseline", "diff", "9f9f"),
    "baseline-replay": ("baseline", "replay", "teller"),
    "baseline-check": ("baseline", "check", USER),
    "baseline-deployed": ("baseline", "check", "--deployed"),
    "baseline-export": ("baseline", "export", "teller", "--to", "aws-policy"),
    "requests": ("requests",),
    "asks": ("asks",),
    "amendments": ("asks", "amendments"),
    "sql": ("sql", "select 1"),
    "verify": ("evidence", "verify"),
    "prove": ("evidence", "prove", "01"),
    "checkpoint": ("evidence", "checkpoint"),
    "bundle": ("evidence", "bundle", "01"),
    "store": ("store", "stats"),
    "store-changes": ("store", "compact"),
    "holds": ("store", "holds"),
    "doctor": ("doctor",),
    "login": ("login", "--status"),
    "access-replay": ("replay",),
    "credential-policies": ("credential-policies", "list"),
}


def document(kind: str, partial: bool = False) -> Document:
    return Document(kind, ITEMS[kind], coverage(partial), next="answerable agents")


class UseCaseStubs:
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
    "answerable.usecases.baseline.replay_access:replay_access": "access-replay",
    "answerable.usecases.baseline.replay_access:ReplayQuery": "",
    "answerable.usecases.federation.credential_policies:list_credential_policies": (
        "credential-policies"
    ),
    "answerable.usecases.inventory.scan:scan_sources": "scan",
    "answerable.usecases.inventory.list_scan_locations:list_scan_locations": "where",
    "answerable.usecases.inventory.inventory_listing:list_agents": "agents",
    "answerable.usecases.inventory.inventory_listing:list_identities": "identities",
    "answerable.usecases.inventory.inventory_listing:list_credentials": "credentials",
    "answerable.usecases.inventory.inventory_listing:list_people": "people",
    "answerable.usecases.inventory.inventory_listing:list_tools": "tools",
    "answerable.usecases.inventory.ownership:show_owner": "who-owns",
    "answerable.usecases.inventory.ownership:attest_unsigned": "who-owns",
    "answerable.services.statements.key_enrolment:list_owner_keys": "owner-keys",
    "answerable.usecases.inventory.show:show_subject": "show",
    "answerable.usecases.reach.permissions:list_subject_permissions": "reach",
    "answerable.usecases.reach.permissions:check_permission": "can",
    "answerable.usecases.reach.permissions:list_who_can": "who-can",
    "answerable.usecases.aws_permissions.list_exposures:list_exposures": "reach-all",
    "answerable.usecases.posture.list_findings:list_findings": "findings",
    "answerable.usecases.posture.finding_trend:list_finding_trend": "finding-trend",
    "answerable.usecases.posture.diff:compare_sides": "diff",
    "answerable.usecases.posture.export_inventory:export_inventory": "export",
    "answerable.usecases.reach.what_if:compare_policy_edit": "what-if",
    "answerable.usecases.aws_permissions.find_minimal_cuts:find_cuts": "what-if-cuts",
    "answerable.usecases.aws_permissions.list_used_actions:list_used_actions": "reach-used",
    "answerable.usecases.posture.plan_federation:PlanOptions": "",
    "answerable.usecases.posture.plan_federation:plan_replacements": "plan",
    "answerable.usecases.aws_permissions.least_privilege:derive_least_privilege": "least-privilege",
    "answerable.usecases.aws_permissions.compare_with_aws:compare_with_simulator": "reach-compared",
    "answerable.usecases.evidence.ingest_logs:ingest_logs": "ingest",
    "answerable.usecases.lineage.trace:trace_events": "trace",
    "answerable.usecases.lineage.score_sources:count_hop_coverage": "trace-score",
    "answerable.services.lineage.trace_rows:TraceQuery": "",
    "answerable.usecases.lineage.count_events:count_by_fields": "trace-by",
    "answerable.usecases.lineage.compare_windows:list_first_seen": "trace-first-seen",
    "answerable.usecases.lineage.list_saved_queries:show_saved_queries": "saved-queries",
    "answerable.usecases.lineage.compare_windows:compare_windows": "trace-compare",
    "answerable.usecases.lineage.find_gateway_bypasses:find_bypassing_events": "trace-unmediated",
    "answerable.usecases.lineage.manage_cases:list_stored_cases": "cases",
    "answerable.usecases.lineage.manage_cases:show_case": "case",
    "answerable.usecases.lineage.export_case:build_case_bundle": "case-bundle",
    "answerable.usecases.authorization.explain_decision:show_decision": "decision",
    "answerable.usecases.authorization.list_approval_requests:list_approval_requests": "asks",
    "answerable.usecases.authorization.list_approval_requests:list_policy_exceptions": "amendments",
    "answerable.usecases.baseline.manage_profiles:learn_profiles": "baselines",
    "answerable.usecases.baseline.manage_profiles:show_profile": "baseline",
    "answerable.usecases.baseline.manage_profiles:compare_profiles": "baseline-diff",
    "answerable.usecases.evidence.filed_requests:list_requests": "requests",
    "answerable.usecases.baseline.replay_calls:replay_profile": "baseline-replay",
    "answerable.usecases.baseline.check_events:check_identity_events": "baseline-check",
    "answerable.usecases.baseline.export_policies:export_policy": "baseline-export",
    "answerable.usecases.baseline.check_deployed:check_deployed": "baseline-deployed",
    "answerable.reach.platform:PolicyEdit": "",
    "answerable.usecases.lineage.run_sql:run_sql_query": "sql",
    "answerable.usecases.evidence.verify_and_prove:verify_evidence": "verify",
    "answerable.usecases.evidence.verify_and_prove:prove_record": "prove",
    "answerable.usecases.evidence.verify_and_prove:show_checkpoint": "checkpoint",
    "answerable.usecases.evidence.verify_and_prove:build_bundle": "bundle",
    "answerable.usecases.evidence.log_proofs:write_tiles": "checkpoint",
    "answerable.usecases.evidence.store_life:show_store_statistics": "store",
    "answerable.usecases.evidence.store_life:compact_store": "store-changes",
    "answerable.usecases.evidence.store_life:list_holds": "holds",
    "answerable.usecases.operations.doctor:check_installation": "doctor",
    "answerable.usecases.federation.login_status:show_login_status": "login",
}
# Other functions that commands call, with what they return here.
OTHERS: dict[str, Callable[..., object]] = {
    "answerable.services.federation.stored_login:find_login_folder": lambda environ, home: (
        home
    ),
    "answerable.services.lineage.chain_cache:load_or_compute_chains": lambda store: (),
    "answerable.services.posture.compared_sides:open_side": lambda *_: None,
    "answerable.services.posture.compared_sides:list_newest_snapshots": lambda *_: None,
    "answerable.services.posture.compared_sides:build_side_context": lambda *_: (
        SimpleNamespace(cwd=Path())
    ),
    "answerable.services.inventory.snapshots:load_inventory": lambda store, name="", **_: (
        SimpleNamespace(root=store.root, name=name)
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
def flows(monkeypatch: pytest.MonkeyPatch) -> UseCaseStubs:
    """Put stand-ins in the place of store and flows."""
    # A command that is first imported now would keep the stand-in.
    for module in iter_modules(commands_package.__path__):
        import_module(f"{commands_package.__name__}.{module.name}")
    import_module("answerable.services.lineage.trace_query")  # imported by `trace`
    flows = UseCaseStubs()
    stubs: dict[str, ModuleType] = {}
    for place, kind in FLOWS.items():
        module, _, name = place.partition(":")
        stub = stubs.setdefault(module, ModuleType(module))
        setattr(stub, name, flows.flow(kind) if kind else SimpleNamespace)
    lists = stubs["answerable.usecases.inventory.inventory_listing"]
    lists.BY_KIND = {  # type: ignore[attr-defined]
        kind: getattr(lists, f"list_{kind}")
        for kind in ("agents", "identities", "credentials", "people", "tools")
    }
    for place, function in OTHERS.items():
        module, _, name = place.partition(":")
        setattr(stubs.setdefault(module, ModuleType(module)), name, function)
    for module, stub in stubs.items():
        package, _, name = module.rpartition(".")
        monkeypatch.setattr(import_module(package), name, stub, raising=False)
        monkeypatch.setitem(sys.modules, module, stub)
    # An agent may run the tests.
    monkeypatch.setattr(signing, "require_human", lambda *_: None)
    store = ModuleType("answerable.store.store")
    store.EvidenceStore = _Store  # type: ignore[attr-defined]  # a stand-in module
    package = ModuleType("answerable.store")
    # Its other modules stay: a command may be the first to import one.
    package.__path__ = import_module("answerable.store").__path__
    monkeypatch.setitem(sys.modules, "answerable.store", package)
    monkeypatch.setitem(sys.modules, "answerable.store.store", store)
    return flows


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CommandResult]:
    """Run a command in this process."""

    def run(*words: str, env: Mapping[str, str] | None = None) -> CommandResult:
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(words)
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return run


@pytest.fixture
def commands() -> Mapping[str, Sequence[str]]:
    """Every command by the kind of its answer."""
    return COMMANDS


@pytest.fixture
def sample_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The sample's files in the current folder, and a store with its account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), time.time_ns())
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()
    return tmp_path / "store"
