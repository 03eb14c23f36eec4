"""Chains as pictures: everything in them is text, nothing is lost, nothing overflows."""

import re
from functools import partial
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.lineage.search_query import SearchQuery, parse_search_query
from answerable.presentation.chain_groups import COLUMNS, group_by_chain
from answerable.web.killed_subjects import is_killed
from answerable.web.svg.chain_diagram import MAX_BYTES, draw_chains
from answerable.web.svg.chain_layout import MAX_NODES, ChainLinks
from answerable.web.svg.svg_elements import build_element, build_link, escape_text
from answerable.web.svg.timeline import TimelineBar, draw_timeline
from answerable.web.template_filters import entity_page

HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "]]></svg><svg onload=alert(1)>",
    "\u202egnp.exe\u2066\x00\x1b[31m",
    "x" * 10_000,
)
STATUSES = ("observed", "declared", "inferred", "missing")


def item(number: int = 0, **said: str) -> dict[str, object]:
    values = {
        "person": "person:ana@corp.example",
        "agent": "agent:claude-code/ana",
        "tool": "tool:mcp/warehouse/query",
        "identity": "arn:aws:iam::111122223333:role/reports",
        "action": "s3:GetObject",
        "resource": f"arn:aws:s3:::bucket/in/{number}.csv",
        **said,
    }
    hops = {
        n: {"value": values[n], "status": "observed", "source": "s"} for n in COLUMNS
    }
    return {
        "event_id": f"{number:032x}",
        "event_time": "2026-11-26T10:00:00Z",
        "source": "cloudtrail",
        "outcome": said.get("outcome", "success"),
        "agent_path": [values["agent"]],
        "identity_path": [values["identity"]],
        "decision_id": "",
        "facts": {},
        "identity_owner": {"value": "", "status": "missing", "source": "s"},
        "hops": hops,
    }


def drawn(*items, query: SearchQuery | None = None):
    groups = group_by_chain(items)
    ways = ChainLinks(query or SearchQuery(), entity_page)
    return draw_chains(groups, ways, ["1 event"] * len(groups))


def read(svg) -> ElementTree.Element:
    return ElementTree.fromstring(svg.text)  # noqa: S314 - our own


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter("text")]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("field", [*COLUMNS, "outcome", "source", "why"])
def test_what_is_hostile_is_text_in_every_field(hostile: str, field: str) -> None:
    one = item(**{field: hostile})
    if field == "why":
        one["hops"]["person"] = {"value": "", "status": "missing", "source": hostile}
    made = drawn(one)
    for svg in (made.wide, *made.narrow):
        root = read(svg)
        names = {each.tag for each in root.iter()}
        assert names <= {"svg", "desc", "text", "path", "g", "a", "title", "rect"}
        for each in root.iter():
            assert not [name for name in each.attrib if name.startswith("on")]
            assert "style" not in each.attrib
            assert each.get("href", "/").startswith("/")
            assert not each.get("href", "/").startswith("//")
        assert "\u202e" not in svg.text
        assert max(map(len, texts(root))) < 80


def test_a_link_leads_nowhere_else() -> None:
    for to in ("javascript:alert(1)", "//evil.example", "https://evil.example", ""):
        assert build_link(to) == '<a href="/"></a>'
    assert build_element("g", {"class": '"><b>'}, escape_text("<i>")) == (
        '<g class="&quot;&gt;&lt;b&gt;">&lt;i&gt;</g>'
    )


@pytest.mark.parametrize("status", STATUSES)
def test_the_line_to_a_node_says_how_it_is_known(status: str) -> None:
    one = item()
    one["hops"]["tool"] = {"value": "t", "status": status, "source": "the scan"}
    root = read(drawn(one).wide)
    lines = [each.get("class") for each in root.iter("path")]
    assert lines.count(f"line {status}") == (5 if status == "observed" else 1)
    told = [each.text for each in root.iter("title")]
    assert any("the scan" in each and (status in each) for each in told if each)
    assert any(each.get("class") == "gap" for each in root.iter("rect")) is (
        status == "missing"
    )


def test_a_gap_names_what_would_tell_it_and_is_counted_once() -> None:
    items = [item(n) for n in range(3)]
    for each in items:
        each["hops"]["person"] = {
            "value": "",
            "status": "missing",
            "source": "sign-ins",
        }
    made = drawn(*items)
    assert made.gaps == [(1, "person", "sign-ins")]
    assert "∅ 1 sign-ins" in texts(read(made.wide))


def test_many_objects_that_lie_together_are_one_node_that_leads_to_them() -> None:
    query = parse_search_query("agent:*")
    made = drawn(*(item(n) for n in range(38)), query=query)
    shown = texts(read(made.wide))
    assert [each for each in shown if each.startswith("38 under")]
    assert "s3:GetObject ×38" in shown  # noqa: RUF001 - the multiplication sign
    links = [each.get("href") for each in read(made.wide).iter("a")]
    assert any(
        "resource%3Aarn%3Aaws%3As3%3A%3A%3Abucket%2Fin%2F%2A" in e for e in links
    )


def test_an_act_alone_leads_to_its_event() -> None:
    links = [each.get("href") for each in read(drawn(item(7)).wide).iter("a")]
    assert f"/event?id={7:032x}" in links
    assert "/person?id=person%3Aana%40corp.example" in links


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 120), st.integers(1, 20))
def test_a_picture_has_a_bound_and_says_what_it_leaves_out(
    chains: int, acts: int
) -> None:
    items = [
        item(n, agent=f"agent:a/{chain}", action=f"s3:Act{n}")
        for chain in range(chains)
        for n in range(acts)
    ]
    made = drawn(*items)
    root = read(made.wide)
    nodes = [each for each in root.iter("g") if "node" in each.get("class", "")]
    assert len(nodes) <= MAX_NODES
    assert made.left + len(made.narrow) == chains
    size = sum(len(each.text) for each in (made.wide, *made.narrow))
    assert len(made.narrow) == 1 or size < MAX_BYTES * 1.1


def test_sub_agents_stand_indented_under_their_parents() -> None:
    one = item(agent="agent:a/b/c")
    one["agent_path"] = ["agent:a", "agent:a/b", "agent:a/b/c"]
    root = read(drawn(one).wide)
    by_text = {
        group.find("text").text: float(group.find("rect").get("x"))
        for group in root.iter("g")
    }
    assert by_text["a"] < by_text["b"] < by_text["c"]


def test_a_refusal_says_so_in_words() -> None:
    shown = texts(read(drawn(item(outcome="denied")).wide))
    assert "s3:GetObject (denied)" in shown


def test_an_action_that_only_a_self_reported_record_names_is_marked() -> None:
    made = item()
    for name in ("action", "resource"):
        made["hops"][name]["status"] = "missing"
    root = read(drawn(made).wide)
    shown = " ".join(texts(root))
    assert "self-reported s3:GetObj" in shown  # the end does not fit
    assert "self-reported arn" in shown
    assert "not named" not in shown
    assert "(self-reported, success, 1)" in root.find("desc").text


def test_the_picture_is_told_in_words_too() -> None:
    told = read(drawn(item()).wide).find("desc").text
    assert "person person:ana@corp.example (observed)" in told
    assert "s3:GetObject on arn:aws:s3:::bucket/in/0.csv (success, 1)" in told


def test_bars_are_divided_by_outcome_and_lead_to_their_span() -> None:
    svg = draw_timeline(
        [TimelineBar(3, {"success": 2, "denied": 1}, "now", "/trace?q=a")], 10, "3"
    )
    root = read(svg)
    assert [each.get("class") for each in root.iter("rect")] == [
        "bar success",
        "bar denied",
    ]
    assert root.find("a").get("href") == "/trace?q=a"
    assert root.find("a/title").text == "now: 2 success, 1 denied"
    assert not re.findall(r'"-?[0-9.]*e', svg.text)


def test_a_killed_hop_says_so_in_both_drawings() -> None:
    killed = "arn:aws:iam::111122223333:role/reports"
    for subjects, marks in (({killed}, 1), ({f"principal:{killed}"}, 1), ({"x"}, 0)):
        ways = ChainLinks(
            SearchQuery(), entity_page, partial(is_killed, killed=frozenset(subjects))
        )
        made = draw_chains(group_by_chain([item()]), ways, ["1 event"])
        for text in (made.wide.text, made.narrow[0].text):
            assert text.count(">killed: ") == marks
            assert text.count("; killed<") == marks
            assert text.count('class="node killed"') == marks
