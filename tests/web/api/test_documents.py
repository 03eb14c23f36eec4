"""What is told is the command line's document, as the OpenAPI document describes it."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from answerable.cli.main import main
from answerable.connectors.config.fetch import read_config_file
from answerable.server.revocation_list import RevocationFile
from answerable.usecases.inventory import inventory_listing
from answerable.web.api.openapi import build_openapi
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import ApiOperation
from answerable.web.pages import findings, inventory_list_definitions
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.api.conftest import told
from tests.web.conftest import visitor
from tests.web.dispatcher_harness import DispatcherHarness

RULES = """\
sts: {url: "https://sts.example"}
rules:
  - id: local
    unix: {uid: 1500}
    agent: agent:declared/nobody-knows
    grants: [{audience: "https://mcp.example"}]
"""
EVERYBODY = visitor(*WebRole)
READS = [each for each in OPERATIONS if each.method == "GET"]
SPEC = build_openapi(OPERATIONS)


def open_case(desk: StoreCache, event: str) -> str:
    """Open a case with one event; return its id."""
    store = ["--store", str(desk.root), "-q"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*store, "-o", "json", "case", "new", "one read"]) == 0
        assert main([*store, "case", "add", "one read", event]) == 0
    return str(json.loads(out.getvalue().splitlines()[0])["items"][0]["id"])


@pytest.fixture(scope="module")
def values(desk: StoreCache) -> dict[str, str]:
    """A value for each required parameter, by name or by operation and name."""
    event = told(desk, EVERYBODY, "/trace").document.items[0]["event_id"]
    inventory = desk.current_view().inventory
    case = open_case(desk, str(event))
    return {
        "who-owns id": next(iter(inventory.agents)),
        "show id": next(iter(inventory.agents)),
        "event id": str(event),
        "evidence-prove id": str(event),
        "evidence-bundle id": str(event),
        "by": "agent,day",
        "ids": next(iter(inventory.agents)),
        "earlier": "30d..7d",
        "case id": case,
        "case-bundle id": case,
        "q": "report",
        "identity": inventory.facts.identities[0].id,
        "subject": inventory.facts.identities[0].id,
        "action": "s3:GetObject",
        "resource": "*",
        "query": "SELECT agent, count(*) AS n, max(event_time) AS t FROM lineage GROUP BY 1",
    }


# These need a decision, a baseline or a history of their own.
ELSEWHERE = {"owners-sign", "decision", "ask", "baseline", "sign", "baseline-diff"}
ELSEWHERE |= {"baseline-replay", "baseline-check", "sts-rules", "changes"}


@pytest.mark.parametrize(
    "each",
    [e for e in READS if e.operation_id not in ELSEWHERE],
    ids=lambda e: e.operation_id,
)
def test_an_answer_is_what_the_document_says(
    desk: StoreCache,
    here: DispatcherHarness,
    values: dict[str, str],
    each: ApiOperation,
) -> None:
    query = {
        one.name: values.get(f"{each.operation_id} {one.name}") or values[one.name]
        for one in each.parameters
        if one.required
    }
    if each.operation_id == "what-if":  # one of two kinds of edit is needed
        query["without"] = "arn:aws:iam::111122223333:user/report-bot#inline/inline#3"
    cookie, _ = here.signed_in(*WebRole)
    route = each.to_route
    from urllib.parse import urlencode

    answer = here.get(f"{route.path}?{urlencode(query)}", cookie=cookie)
    assert answer.status == 200, answer.text
    jsonschema.validate(answer.json, _schema(each))
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["cache-control"] == "private, no-cache" or not each.has_etag


def test_the_document_is_valid_openapi() -> None:
    openapi_spec_validator.validate(json.loads(json.dumps(SPEC)))


def _schema(each: ApiOperation) -> dict[str, Any]:
    paths: Any = SPEC["paths"]
    at = paths[each.to_route.path]["get"]["responses"]["200"]
    schema = at["content"]["application/json"]["schema"]
    return {**schema, "components": SPEC["components"]}


@pytest.mark.parametrize(
    "name", ["agents", "identities", "credentials", "people", "tools"]
)
def test_a_list_is_the_command_lines(desk: StoreCache, name: str) -> None:
    standing = desk.current_view()
    listed = inventory_listing.BY_KIND[name](standing.inventory, now=standing.at)
    answer = told(desk, EVERYBODY, f"/{name}", limit="1000").document
    by = json.dumps
    assert sorted(map(by, answer.items)) == sorted(map(by, listed.items))
    assert answer.kind == listed.kind
    assert answer.coverage == listed.coverage


@pytest.mark.parametrize("path", ["/agents", "/credentials", "/trace", "/reach"])
def test_parts_are_the_whole_once(
    desk: StoreCache, path: str, values: dict[str, str]
) -> None:
    query = {"subject": values["subject"]} if path == "/reach" else {}
    query |= {"since": "30d"} if path == "/trace" else {}
    limit = "40" if path == "/trace" else "2"
    whole = told(desk, EVERYBODY, path, limit="1000", **query).document.items
    parts: list[object] = []
    after = {}
    for _ in range(200):
        part = told(desk, EVERYBODY, path, limit=limit, **query, **after)
        assert len(part.document.items) <= int(limit)
        parts += part.document.items
        assert bool(part.next) == bool(part.after)
        if not part.after:
            break
        after = {"after": part.after}
    assert parts == list(whole)
    assert len(whole) > int(limit)


def test_fields_beside_the_box_narrow_it(desk: StoreCache) -> None:
    every = told(desk, EVERYBODY, "/trace", limit="1000").document.items
    some = told(desk, EVERYBODY, "/trace", q="source:cloudtrail", action="s3:*")
    assert 0 < len(some.document.items) < len(every)
    boxed = told(desk, EVERYBODY, "/trace", q="source:cloudtrail action:s3:*")
    assert boxed.document.items == some.document.items


def test_sql_has_no_way_out_and_an_end(desk: StoreCache) -> None:
    from answerable.web.http.errors import RequestRejected

    for query, why in {
        "DELETE FROM lineage": "exactly one SELECT",
        "SELECT 1; SELECT 2": "exactly one SELECT",
        "SELECT * FROM read_text('/etc/passwd')": "sql:",
        "SELECT range FROM range(20000)": "more than 10,000 rows",
    }.items():
        with pytest.raises(RequestRejected) as caught:
            told(desk, EVERYBODY, "/sql", query=query)
        assert caught.value.status == 422
        assert why in caught.value.says, query


def test_sql_that_takes_too_long_is_stopped(
    desk: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from answerable.store.query_engine import QueryLimits
    from answerable.web.api import evidence
    from answerable.web.http.errors import RequestRejected

    monkeypatch.setattr(evidence, "_BOUNDS", QueryLimits(rows=10, seconds=0.05))
    with pytest.raises(RequestRejected) as caught:
        told(
            desk,
            EVERYBODY,
            "/sql",
            query="SELECT count(*) FROM range(100000000) a, range(100000000) b",
        )
    assert "longer than" in caught.value.says


def test_sql_is_for_who_investigates_and_administers(desk: StoreCache) -> None:
    from answerable.web.routing import Forbidden

    alone = Visitor(None, frozenset({WebRole.INVESTIGATOR}))
    with pytest.raises(Forbidden):
        told(desk, alone, "/sql", query="SELECT 1")


def test_where_lists_what_was_scanned_and_no_place_is_named_by_who_asks(
    desk: StoreCache,
) -> None:
    answer = told(desk, EVERYBODY, "/where").document
    sources = {str(each["source"]) for each in answer.items}
    assert sources == {str(e["source"]) for e in _coverage(desk)}
    assert next(e for e in OPERATIONS if e.path == "/where").parameters == ()


def _coverage(desk: StoreCache) -> list[Any]:
    return list(told(desk, EVERYBODY, "/coverage").document.items)


def test_the_doctor_speaks_of_the_store_that_is_served(desk: StoreCache) -> None:
    items = told(desk, EVERYBODY, "/doctor").document.items
    (found,) = (each for each in items if each["check"] == "store")
    assert str(desk.root) in str(found["detail"])


def test_kills_are_told_with_who_killed(desk: StoreCache) -> None:
    assert list(told(desk, EVERYBODY, "/kills").document.items) == []
    file = RevocationFile(desk.root / "gateway")
    file.revoke("agent:declared/x", "ana@corp.example")
    try:
        (item,) = told(desk, EVERYBODY, "/kills").document.items
    finally:
        file.path.unlink()
    assert (item["subject"], item["by"]) == ("agent:declared/x", "ana@corp.example")
    assert str(item["at"]).endswith("Z")
    assert (item["ended"], item["revived"]) == ([], False)


def test_rules_are_those_of_the_file_as_the_command_line_has_them(
    desk: StoreCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from answerable.web.http.errors import RequestRejected

    with pytest.raises(RequestRejected) as caught:
        told(desk, EVERYBODY, "/sts/rules")
    assert caught.value.status == 422
    path = tmp_path / "answerable.yaml"
    path.write_text(RULES)
    config = read_config_file(str(path)).config
    assert config is not None
    served = StoreCache(desk.root, config)
    try:
        answer = told(served, EVERYBODY, "/sts/rules").document
    finally:
        served.close()
    command = ["--store", str(desk.root), "-o", "json", "token-service", "rules"]
    main([*command, "--config", str(path)])
    assert list(answer.items) == json.loads(capsys.readouterr().out)["items"]
    assert answer.items


@pytest.mark.parametrize(
    ("kind", "build_list"),
    [
        ("agents", inventory_list_definitions.agents),
        ("identities", inventory_list_definitions.identities),
        ("credentials", inventory_list_definitions.credentials),
        ("tools", inventory_list_definitions.tools),
        ("people", inventory_list_definitions.people),
        ("findings", findings.findings),
    ],
)
def test_a_parameter_with_closed_values_names_them(
    desk: StoreCache, kind: str, build_list: Any
) -> None:
    (operation,) = (each for each in READS if each.path == f"/{kind}")
    choices = {each.name: each.choices for each in operation.parameters}
    for facet in build_list(desk).shape.facets:
        if facet.name in choices and facet.values:
            assert choices[facet.name] == facet.values, facet.name
