"""The marks say the same words everywhere, and take any text for text."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.web import template_filters
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.template_rendering import (
    asset_url,
    render_page,
    template_environment,
)
from answerable.web.visitor import WebRole
from tests.web.conftest import visitor
from tests.web.markup_checks import HOSTILE, markup_faults


def made(source: str, **values: object) -> str:
    return template_environment().from_string(source).render(**values)


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "mark",
    [
        "marks.ident(t)",
        "marks.mono(t)",
        "marks.copy(t)",
        "marks.hop({'value': t, 'status': 'observed', 'source': t})",
        "marks.hop({'value': '', 'status': 'missing', 'source': t})",
        "marks.verdict(t)",
        "marks.effect(t, t)",
        "marks.owner({'state': 'inferred', 'person': t, 'score': 0.5})",
        "marks.written_by(t)",
        "marks.when(t)",
        "marks.empty(t, t, t)",
        "marks.printed({t: t})",
        "marks.pager(1, 2, '/a', '/b', t)",
    ],
)
def test_a_mark_takes_any_text_for_text(mark: str, text: str) -> None:
    markup = made("{{ " + mark + " }}", t=text)
    assert markup_faults(markup) == []
    assert "49" not in markup


def test_what_runs_is_found() -> None:
    for bad in (
        "<script>1</script>",
        '<a href="javascript:1">',
        '<a href="//else.where">',
        '<p onclick="1">',
        '<p style="x">',
        "<img src=x>",
        "a\u202eb",
    ):
        assert markup_faults(bad), bad


def test_a_text_that_reverses_a_line_is_shown_as_its_escape() -> None:
    assert made("{{ t }}", t="a‮b\nc") == "a\\u202eb\nc"


@given(st.text(max_size=200), st.integers(5, 80))
def test_an_id_shortened_is_whole_when_it_is_copied(text: str, cells: int) -> None:
    assert "".join(template_filters.shorten_middle(text, cells)) == "".join(
        template_filters.shorten_middle(text, 100_000)
    )


def test_an_arn_keeps_its_telling_end() -> None:
    arn = "arn:aws:iam::123456789012:role/service-role/long-name-of-a-role-analytics"
    parts = template_filters.shorten_middle(arn, 40)
    assert "".join(parts) == arn
    assert parts.tail.endswith("role-analytics")
    assert parts.cut or parts.front


def test_an_owner_is_never_an_empty_cell() -> None:
    for state in ("none", "ambiguous", "team-only"):
        said = made(
            "{{ marks.owner(o) }}", o={"state": state, "person": None, "score": 0.0}
        )
        assert text_of(said) == state


def test_the_frame_shows_deeds_only_to_who_may_see_them() -> None:
    def frame(*roles: WebRole) -> str:
        return made(
            "{% extends 'base.html' %}{% block part %}here{% endblock %}",
            title="t",
            visit=visitor(*roles),
            asked=RouteRequest(url="/agents"),
        )

    viewer, owner = frame(WebRole.VIEWER), frame(WebRole.OWNER)
    assert 'href="/trace"' not in viewer
    assert 'href="/trace"' in owner
    assert 'href="/agents" aria-current="page"' in viewer
    assert "/sign-out" not in frame()
    assert asset_url("answerable.css") in viewer
    assert not re.findall(r"\sstyle=|<script>|\son\w+=", viewer)


@pytest.mark.parametrize("part", [False, True])
def test_a_page_has_its_question_for_paper_which_shows_no_form(part: bool) -> None:
    refusal = {"says": "no", "hint": ""}
    page = PageAnswer("refused.html", "Refused", {"refusal": refusal})
    asked = RouteRequest(query={"subject": "agent:a", "empty": ""}, part=part)
    shown = render_page(page, visitor(WebRole.VIEWER), asked)
    question = shown.partition('<p class="printed">')[2].partition("</p>")[0]
    assert text_of(question) == "subject agent:a"
