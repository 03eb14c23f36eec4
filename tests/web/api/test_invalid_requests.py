"""What is not taken is refused as a problem document, whatever it holds."""

import pytest

from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import PREFIX
from answerable.web.visitor import WebRole
from tests.web.api.conftest import get
from tests.web.dispatcher_harness import DispatcherHarness

HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover=',
    "javascript:alert(1)",
    "‮gnp.exe",
    "' OR 1=1 --",
    "../../../etc/passwd",
    "%00",
    "*" * 100,
)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/agents", {"limit": "0"}, 400),
        ("/agents", {"limit": "1001"}, 400),
        ("/agents", {"limit": "1e3"}, 400),
        ("/agents", {"limit": ""}, 400),
        ("/agents", {"limit": "٣"}, 400),
        ("/agents", {"owner-state": "mine"}, 400),
        ("/agents", {"other": "x"}, 400),
        ("/findings", {"severity": "grave"}, 400),
        ("/findings", {"state": "closed"}, 400),
        ("/findings", {"rule": "no-such-rule"}, 400),
        ("/credentials", {"lifetime": "short"}, 400),
        ("/agents", {"kind": "x" * 2_001}, 400),
        ("/agents", {"after": "x"}, 422),
        ("/trace", {"after": "-1-00"}, 422),
        ("/trace", {"q": "agnet:x"}, 422),
        ("/trace", {"q": "agent:x", "agent": "y"}, 422),
        ("/decisions", {"after": "x"}, 422),
        ("/asks", {"after": "eA"}, 422),
        ("/who-owns", {}, 400),
        ("/who-owns", {"id": ""}, 400),
        ("/who-owns", {"id": "nobody"}, 422),
        ("/can", {"subject": "a", "action": "b"}, 400),
        ("/can", {"subject": "a", "action": "b", "resource": "c"}, 422),
        ("/reach", {"subject": "a", "context": "no value"}, 422),
        ("/event", {"id": "0" * 32}, 404),
        ("/nothing", {}, 404),
    ],
)
def test_what_does_not_fit_is_a_problem(
    here: DispatcherHarness, path: str, query: dict[str, str], status: int
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    answer = get(here, cookie, path, query)
    assert answer.status == status, answer.text
    assert answer.fields["content-type"] == "application/problem+json"
    assert set(answer.json) <= {"type", "title", "status", "detail", "hint"}
    assert answer.json["status"] == status


@pytest.mark.parametrize(
    ("path", "query", "hint"),
    [
        ("/trace", {"q": "source:gatewya"}, "did you mean gateway?"),
        (
            "/trace",
            {"q": "source:x"},
            "sources of events: anthropic-audit, azure-activity, bedrock, claude-code, "
            "cloudtrail, credential-broker, entra, gateway, gcp-audit, github-audit, "
            "hook, k8s-audit, okta, openai-audit, otel, pdp, sts, web",
        ),
        ("/agents", {"kind": "claude-cod"}, "did you mean claude-code?"),
        ("/credentials", {"kind": "aws-acess-key"}, "did you mean aws-access-key?"),
        ("/identities", {"kind": "zzz"}, "choose one of them"),
        (
            "/decisions",
            {"agent": "agent:claude-code/ana/reportre"},
            "did you mean agent:claude-code/ana/reporter?",
        ),
    ],
)
def test_a_misspelled_name_is_no_empty_list(
    here: DispatcherHarness, path: str, query: dict[str, str], hint: str
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    answer = get(here, cookie, path, query)
    assert answer.status == 422, answer.text
    assert answer.json["hint"] == hint


@pytest.mark.parametrize(
    ("path", "name", "value", "near"),
    [
        ("/trace", "source", "cloudtrial", "cloudtrail"),
        ("/trace", "status", "mising", "missing"),
        ("/trace", "status", "agent=mising", "agent=missing"),
        ("/trace/by", "by", "agent,resorce", "resource"),
        ("/trace/first-seen", "by", "chian", "chain"),
        ("/findings", "platform", "kubernets", "kubernetes"),
        ("/tools", "kind", "stdoi", "stdio"),
    ],
)
def test_a_value_that_is_no_choice_is_refused_and_the_choices_are_described(
    here: DispatcherHarness, path: str, name: str, value: str, near: str
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    answer = get(here, cookie, path, {name: value})
    assert answer.status == 400, answer.text
    assert name in answer.json["detail"]
    assert f"did you mean {near}?" in answer.json["hint"]
    paths = get(here, cookie, "/openapi.json", {}).json["paths"]
    (described,) = (
        each
        for each in paths[f"/api/v1{path}"]["get"]["parameters"]
        if each["name"] == name
    )
    schema = described["schema"].get("items", described["schema"])
    assert near in schema["enum"]


@pytest.mark.parametrize("path", ["/trace", "/trace/unmediated"])
def test_a_misspelled_outcome_names_the_nearest(
    here: DispatcherHarness, path: str
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    answer = get(here, cookie, path, {"outcome": "denid"})
    assert answer.status == 400, answer.text
    assert answer.json["hint"] == (
        "expected success, denied, error, unknown; did you mean denied?"
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/trace", {"source": "gateway"}),
        ("/decisions", {"agent": "agent:claude-code/ana/reporter"}),
        ("/decisions", {"agent": "reporter"}),
    ],
)
def test_a_known_name_without_events_is_an_empty_list(
    here: DispatcherHarness, path: str, query: dict[str, str]
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    answer = get(here, cookie, path, query)
    assert (answer.status, answer.json["items"]) == (200, [])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_breaks_nothing(here: DispatcherHarness, text: str) -> None:
    cookie, _ = here.signed_in(*WebRole)
    for each in OPERATIONS:
        if each.method != "GET" or each.operation_id == "sql":
            continue
        query = {one.name: text for one in each.parameters if not one.choices}
        query.pop("limit", None)
        answer = get(here, cookie, each.path, query)
        assert answer.status in (200, 400, 404, 422), (each.operation_id, answer.text)
        assert answer.fields["content-type"].startswith("application/")
        assert answer.fields["x-content-type-options"] == "nosniff"
    assert here.failures == []


def test_nobody_is_told_to_sign_in(here: DispatcherHarness) -> None:
    for each in OPERATIONS:
        target = f"{PREFIX}{each.path}"
        answer = (
            here.get(target) if each.method == "GET" else here.post(target, {"a": "b"})
        )
        assert answer.status == 401, each.operation_id
        assert answer.fields["www-authenticate"] == "Bearer"


def test_a_method_that_is_not_served_is_told_those_that_are(
    here: DispatcherHarness,
) -> None:
    cookie, _ = here.signed_in(*WebRole)
    for each in OPERATIONS:
        target = f"{PREFIX}{each.path}"
        methods = {e.method for e in OPERATIONS if e.path == each.path}
        answer = here.ask("PUT", target, cookie=cookie)
        assert answer.status == 405
        allowed = set(answer.fields["allow"].split(", ")) - {"HEAD"}
        assert allowed == methods
