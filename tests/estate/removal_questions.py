"""Questions and pages of the law of a removed source."""

from collections.abc import Mapping
from pathlib import Path

from answerable.cli.sample.google_project import (
    LEDGER_COPY,
    SUPPORT_AGENT,
    VERTEX_AGENT,
)
from answerable.cli.sample.platform_account import (
    LEDGER_OBJECT,
    PREVIEW_ROLE,
)
from tests.estate.sample_stores import CLUSTER, DATA, DATABASE, LABS, ROLE

REPORTER = "agent:claude-code/ana/reporter"
USER = "arn:aws:iam::111122223333:user/report-bot"
KEY = "cred:aws/AKIARTX3GSDSRRFJNQSQ"
DEVELOPER = "agent:cursor/ana"
APP, SUPPORT = (f"{DATABASE}/role/{name}" for name in ("app", "support"))
ORDERS = f"{DATABASE}/table/sales.orders"
MEMBER = "GRANT migrator TO app"
LEDGER_CALL = ("storage.objects.get", LEDGER_COPY)
READER = "//storage.googleapis.com/example-ledger-copy#roles/storage.objectViewer to ledger-sync@example-analytics.iam.gserviceaccount.com"
SHOWN = (
    VERTEX_AGENT,
    SUPPORT_AGENT,
    APP,
    REPORTER,
    USER,
    KEY,
    "tool:mcp/warehouse/*",
    DATA.rpartition("/2026")[0],
)
GONE = f"{ROLE}/tmp-export"
STATEMENT = f"{USER}#inline/inline#3"
LEDGER = f"{CLUSTER}/previews/serviceaccount/ledger"
PREVIEW_USER = f"{CLUSTER}/user/web-preview"
PEOPLE = tuple(f"github:user/{name}" for name in ("ana", "*"))
WORKFLOW = "github:example-labs/workflow/web/.github%2Fworkflows%2Fpreview.yml"
PODS, SECRETS = (f"{CLUSTER}/previews/{kind}" for kind in ("pods", "secrets"))
BINDING = "RoleBinding previews/previewers"
GRANT = str(Path(__file__).with_name("grant.json"))

ASKED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "agents": (("agents",),),
    "tools": (("tools",),),
    "identities": (("identities",),),
    "credentials": (("credentials",),),
    "people": (("people",),),
    "who-owns": (("who-owns", USER),),
    "show": tuple(
        ("show", each)
        for each in (*SHOWN, GONE, "person:ana", LEDGER, PREVIEW_USER, WORKFLOW)
    ),
    "reach": (
        ("reach", REPORTER, "--action", "s3:*"),
        ("reach", KEY, "--direct"),
        *(("reach", each) for each in (APP, SUPPORT, DEVELOPER)),
        ("reach", VERTEX_AGENT, "--action", "storage.*"),
        *(("reach", each) for each in (LEDGER, PREVIEW_USER, WORKFLOW, *PEOPLE)),
    ),
    "who-can": (
        ("who-can", "s3:GetObject", LEDGER_OBJECT),
        ("who-can", "get", f"{SECRETS}/x"),
        ("who-can", "create", f"{PODS}/x"),
        ("who-can", "push", f"{LABS}/branch/main"),
        ("who-can", "s3:GetObject", DATA),
        ("who-can", "sts:AssumeRole", "*"),
        ("who-can", "DELETE", ORDERS),
        ("who-can", *LEDGER_CALL),
    ),
    "can": (
        ("can", REPORTER, "s3:GetObject", DATA),
        *(("can", each, "DELETE", ORDERS) for each in (APP, SUPPORT, DEVELOPER, USER)),
        *(("can", each, "s3:DeleteObject", DATA) for each in (APP, DEVELOPER)),
        ("can", SUPPORT, "DELETE", ORDERS, "--direct"),
        *(("can", each, *LEDGER_CALL) for each in (VERTEX_AGENT, SUPPORT_AGENT, USER)),
        *(
            ("can", each, *call)
            for each in (LEDGER, PREVIEW_USER, WORKFLOW, *PEOPLE, PREVIEW_ROLE, USER)
            for call in (
                ("s3:GetObject", LEDGER_OBJECT),
                ("get", f"{SECRETS}/x"),
                ("push", f"{LABS}/branch/main"),
            )
        ),
    ),
    "reach-all": (("reach", "--all"),),
    "findings": (("findings",),),
    "what-if": (
        ("what-if", REPORTER, "--without", STATEMENT),
        ("what-if", "--all", "--without", STATEMENT),
        ("what-if", KEY, "--without", STATEMENT, "--action", "s3:*"),
        ("what-if", USER, "--with", GRANT, "--action", "s3:*"),
        ("what-if", REPORTER, "--with", GRANT, "--on", USER, "--action", "s3:*"),
        ("what-if", "--all", "--with", GRANT, "--on", USER),
        ("what-if", DEVELOPER, "--without", MEMBER),
        ("what-if", "--all", "--without", MEMBER),
        ("what-if", SUPPORT_AGENT, "--without", READER, "--action", "storage.*"),
        ("what-if", "github:user/*", "--without", BINDING),
        ("what-if", "--all", "--without", BINDING),
    ),
    "what-if-cuts": tuple(
        ("what-if", each, "--cuts", DATA, "--action", action)
        for each in (REPORTER, USER, KEY, GONE)
        for action in ("s3:GetObject", "s3:*")
    ),
    "reach-used": (
        ("reach", GONE, "--used"),
        ("reach", USER, "--used", "--direct", "--action", "s3:*"),
    ),
    "trace": (("trace", "--identity", GONE), ("trace", "--identity", USER)),
    "trace-score": (("trace", "--score"),),
    "trace-by": (("trace", "--by", "agent,action"), ("trace", "--by", "person")),
    "trace-first-seen": (("trace", "--first-seen", "--since", "1d"),),
    "trace-compare": (("trace", "--since", "1d", "--compare", "2d..1d"),),
    "trace-unmediated": (("trace", "--unmediated"),),
    "sql": (
        ("sql", "select count(*) as n from lineage"),
        ("sql", "select count(*) as n from identities"),
        ("sql", "select count(*) as n from credentials"),
    ),
}
_SIGNED = "rests on what persons signed"
_GATEWAY = "rests on what a gateway recorded"
_LOG = "rests on the sealed log itself"
_HERE = "speaks of this machine, or of what a command just did"
_RULES = "rests on the configuration"
_PROTECTED = "has laws of its own: tests/laws/test_protection_documents.py"
APART = {
    **dict.fromkeys(
        (
            "owner-keys",
            "owner-keys-new",
            "credential-policies",
            "attest",
            "amendments",
            "drafts",
            "kills",
            "kill",
            "owner-drafts",
            "bulk-results",
            "person-merges",
        ),
        _SIGNED,
    ),
    "owner-requests": "an entity without a scan is `not-known`: see /owners",
    **dict.fromkeys(("requests", "asks", "tools-approve", "tools-diff"), _SIGNED),
    **dict.fromkeys(("decision", "decisions", "replay", "baselines"), _GATEWAY),
    **dict.fromkeys(("agent-mode", "protect-status"), _PROTECTED),
    **dict.fromkeys(("baseline", "baseline-diff", "baseline-replay"), _GATEWAY),
    **dict.fromkeys(("baseline-check", "baseline-rename", "baseline-export"), _GATEWAY),
    "least-privilege": "no proof without policies: tests/usecases/test_least_privilege.py",
    "plan": "not known without a log or policies: tests/usecases/test_plan.py",
    "baseline-deployed": "tests/usecases/test_check_deployed.py: not-known without policies",
    **dict.fromkeys(("verify", "verification", "prove", "checkpoint", "bundle"), _LOG),
    **dict.fromkeys(("event", "snapshots", "coverage", "access-replay"), _LOG),
    **dict.fromkeys(("store", "store-changes", "holds"), _LOG),
    **dict.fromkeys(("cases", "case", "case-bundle", "saved-queries"), _LOG),
    **dict.fromkeys(
        ("scan", "ingest", "where", "doctor", "login", "done", "export"), _HERE
    ),
    **dict.fromkeys(("sts-rules", "sts-test", "sts-explain"), _RULES),
    "finding-trend": "tests/posture/test_finding_trend.py: a source is not read again",
    "diff": "compares two snapshots; tests/posture/test_diff.py removes a source",
    "overview": "test_no_figure_of_the_overview_becomes_0 removes a source",
    "trace-chains": "groups the rows of `trace`; tests/web/test_trace_summary.py",
    "trace-facets": "counts as `trace-by`; tests/web/test_trace_summary.py",
    "search": "lists names; tests/web/test_search.py holds what an empty answer says",
    "reach-compared": "compares with AWS, which has to be asked",
}
PAGES = {
    "/",
    *("/agents", "/identities", "/credentials", "/tools", "/people"),
    *("/reach", "/can", "/who-can", "/what-if", "/reach/all", "/what-if/cuts"),
    *("/agent", "/identity", "/credential", "/person", "/show"),
    *("/findings", "/finding", "/findings/trend", "/changes", "/search"),
    *("/trace", "/trace/hops", "/trace/chains", "/trace/compare", "/event"),
    *("/evidence", "/baselines", "/decisions", "/asks", "/kill", "/kills"),
    *("/tools/diff", "/cases", "/keys", "/trace/saved", "/owners"),
    *("/baseline", "/baseline/replay", "/decision", "/ask", "/sign"),
    *("/case", "/case/page", "/proof"),
}
# A part of a page, or a file.
PAGES_APART = {
    **dict.fromkeys(("/trace/export", "/trace/complete"), "as `trace`"),
    **dict.fromkeys(("/trace/times", "/trace/span"), "as `trace`, in parts"),
    **dict.fromkeys(("/evidence/checkpoint", "/evidence/key"), _LOG),
    **dict.fromkeys(("/proof/bundle", "/case/bundle"), _LOG),
    **dict.fromkeys(("/reach/graph", "/reach/complete"), "as `reach`"),
    "/search/complete": "as `search`",
}
