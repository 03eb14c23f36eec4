"""What a request asks is read strictly."""

from urllib.parse import quote

import pytest

from answerable.web.auth.sessions import WebSession
from answerable.web.http.errors import RequestRejected
from answerable.web.http.request_parsing import parse_fields
from tests.web.dispatcher_harness import FORM, URL, DispatcherHarness
from tests.web.echo_routes import CountingRoute


def test_what_a_route_does_not_take_is_refused(
    stage: DispatcherHarness, admin: tuple[str, WebSession], acts: CountingRoute
) -> None:
    cookie, session = admin
    for query in (
        "z=1",
        "q=1&q=2",
        "q=%00",
        "q=%ff",
        "q=%1b[2J",
        "&".join(["q=1"] * 65),
    ):
        assert stage.get(f"/look?{query}", cookie=cookie).status == 400
    assert stage.get(f"/look?q={'a' * 9000}", cookie=cookie).status == 414
    form = {"csrf": session.csrf_token(), "other": "1"}
    assert stage.post("/act", form, cookie).status == 400
    assert (
        stage.post("/act?what=1", {"csrf": session.csrf_token()}, cookie).status == 400
    )
    assert acts.done == []


def test_a_body_that_is_no_form_or_too_large_is_refused(
    stage: DispatcherHarness, admin: tuple[str, WebSession], acts: CountingRoute
) -> None:
    cookie, session = admin
    fields = {"x-csrf-token": session.csrf_token(), "origin": URL}
    for kind in (
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ):
        said = {**fields, "content-type": kind}
        assert stage.ask("POST", "/act", said, b"what=1", cookie=cookie).status == 415
    body = b"what=" + b"a" * (1 << 20)
    said = {**fields, "content-type": FORM}
    assert stage.ask("POST", "/act", said, body, cookie=cookie).status == 413
    assert acts.done == []


def test_an_empty_field_is_as_one_that_is_not_there(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    assert (
        "{&#39;q&#39;: &#39;x&#39;}"
        in stage.get("/look?q=x&title=", cookie=admin[0]).text
    )


def test_hostile_text_in_a_page_is_text(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    hostile = "<script>alert(1)</script>\"' onmouseover=x javascript:alert(1) \u202e"
    answer = stage.get(
        f"/look?title={quote(hostile)}&q={quote(hostile)}", cookie=admin[0]
    )
    assert answer.status == 200
    assert "<script>alert" not in answer.text
    assert '" onmouseover' not in answer.text


def test_a_head_that_is_too_large_is_refused(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    fields = {"x-much": "a" * (33 << 10)}
    assert stage.get("/look", headers=fields, cookie=admin[0]).status == 431


def test_a_numbered_series_of_fields_is_named_by_its_first() -> None:
    accepted = (*(f"id{number}" for number in range(30)), "q", "s3")
    with pytest.raises(RequestRejected) as refused:
        parse_fields(b"id=zz", accepted)
    assert refused.value.hint == "accepted fields: id0, id1, ..., q, s3"
