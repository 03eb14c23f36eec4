"""Links of the reach pages to rows and to entities that have a page."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.conftest import answer, shown


def test_a_row_with_an_exception_links_to_the_rows_of_its_pattern(
    desk: StoreCache, admin: Visitor
) -> None:
    page = shown(desk, admin, "/reach", subject="agent:claude-code/ana")
    assert "* except kms:*" in page
    links = {unescape(each) for each in re.findall(r'href="(/reach\?[^"]*)"', page)}
    found = [dict(parse_qsl(urlsplit(each).query)) for each in links]
    assert any(each.get("action") == "*" for each in found)
    for asked in found:
        answered = answer(desk, admin, "/reach", **asked)
        assert isinstance(answered, PageAnswer)
        assert answered.status == 200, asked


def test_a_service_that_can_assume_a_role_has_no_page(
    desk: StoreCache, admin: Visitor
) -> None:
    role = "arn:aws:iam::111122223333:role/lambda-admin"
    call = {"action": "sts:AssumeRole", "resource": role}
    page = shown(desk, admin, "/who-can", **call)
    assert "lambda.amazonaws.com" in page
    assert "/identity?id=lambda.amazonaws.com" not in page
    page = shown(desk, admin, "/can", subject="lambda.amazonaws.com", **call)
    assert "lambda.amazonaws.com" in page
    assert "/identity?id=lambda.amazonaws.com" not in page
