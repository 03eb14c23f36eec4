"""Names of a question that nothing can have: an error with the nearest right spelling.

On the command line, over the API and on pages, of the same store.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.web.http.errors import RequestRejected
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.api.conftest import told
from tests.web.conftest import shown

ANA = "agent:claude-code/ana/reporter"
OBJECT = "arn:aws:s3:::example-customer-data/a"

WRONG = [
    (("can", ANA, "s3:GetObject", "arn:aws:s3::example-customer-data/a"), ":::example"),
    (
        ("can", ANA, "s3:GetObject", "arn:aws:s4:::example-customer-data/a"),
        "arn:aws:s3",
    ),
    (("can", ANA, "iam:PassRole", "arn:aws:iam::111122223333:rol/x"), ":role/x?"),
    (("can", ANA, "iam:PassRole", "arn:aws:iam::11112222333:role/x"), ""),
    (("can", ANA, "foo:GetObject", OBJECT), "s3:GetObject?"),
    (("who-can", "s3:GetObject", "arn:aws:s3:eu-west-1::example/a"), ":::example/a?"),
    (("who-can", "dynamdb:GetItem", "*"), "dynamodb:GetItem?"),
    (("reach", ANA, "--action", "foo:*"), ""),
    (("reach", ANA, "--action", "GetObject"), "s3:GetObject?"),
    (("reach", ANA, "--action", "s3:GetObjct*"), "s3:GetObject?"),
    (("reach", ANA, "--resource", "arn:aws:s4:::x"), "arn:aws:s3:::x?"),
    (("reach", ANA, "--resource", "example*"), "*example*"),
    (("reach", ANA, "--used", "--action", "foo:*"), ""),
    (("trace", "--action", "GetObject"), "s3:GetObject?"),
    (("trace", "--action", "foo:*"), ""),
    (("trace", "--unmediated", "--action", "s3:GetObjct"), "s3:GetObject?"),
    (
        ("can", ANA, "s3:GetObject", OBJECT, "--context", "aws:SourceIp=10.0.0.0/8"),
        "=10.",
    ),
    (
        ("can", ANA, "s3:GetObject", OBJECT, "--context", "aws:SecureTransport=yes"),
        "=true",
    ),
    (("reach", ANA, "--context", "aws:CurrentTime=2026-13-01"), ""),
    (
        ("who-can", "s3:GetObject", OBJECT, "--context", "SourceIp=10.0.0.1"),
        "aws:SourceIp",
    ),
]
RIGHT = [
    ("can", ANA, "s3:GetObject", "s3://example-customer-data/a"),
    ("can", ANA, "s3:GetObject", "arn:aws:s3:::example-customer-data/*"),
    ("who-can", "sts:AssumeRole", "arn:aws:iam::444455556666:role/any"),
    ("who-can", "s3:NewlyMadeThing", "arn:aws:s3:::example-customer-data"),
    ("reach", ANA, "--action", "S3:get*"),
    ("reach", ANA, "--action", "*Object"),
    ("reach", ANA, "--resource", "*customer*"),
    ("reach", ANA, "--resource", "arn:aws:s3*"),
    ("reach", ANA, "--context", "aws:SourceIp=2001:db8::1"),
    ("trace", "--action", "dynamodb:*"),
    ("trace", "--action", "*get*"),
]


@pytest.fixture
def ask(estate: Path, capsys: pytest.CaptureFixture[str]):
    def run(words: Sequence[str]) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--store", str(estate / "store"), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(("words", "hint"), WRONG, ids=lambda w: " ".join(w)[:60])
def test_a_name_that_nothing_has_is_a_usage_error_with_the_nearest_one(
    ask, words: Sequence[str], hint: str
) -> None:
    code, out, err = ask(words)
    assert (code, out) == (2, ""), err
    error, *hints = err.splitlines()
    assert error.startswith("error: ")
    assert "(got " in error
    assert hint in "".join(hints)


@pytest.mark.parametrize("words", RIGHT, ids=lambda w: " ".join(w)[:60])
def test_a_name_that_something_may_have_is_no_error(ask, words: Sequence[str]) -> None:
    code, _, err = ask(words)
    assert code == 0, err


_PLACES = {
    "reach": {"subject": ANA, "resource": "arn:aws:s4:::x"},
    "can": {"subject": ANA, "action": "s3:GetObject", "resource": "arn:aws:s4:::x"},
    "who-can": {"action": "foo:GetObject", "resource": OBJECT},
}


@pytest.mark.parametrize("question", _PLACES)
def test_the_api_and_the_pages_refuse_it_likewise(
    desk: StoreCache, admin: Visitor, question: str
) -> None:
    with pytest.raises(RequestRejected) as caught:
        told(desk, admin, f"/{question}", **_PLACES[question])
    assert (caught.value.status, "did you mean" in caught.value.hint) == (422, True)
    page = shown(desk, admin, f"/{question}", **_PLACES[question])
    assert "did you mean" in page


def test_the_box_of_the_investigation_refuses_an_action_that_nothing_has(
    desk: StoreCache, admin: Visitor
) -> None:
    with pytest.raises(RequestRejected) as caught:
        told(desk, admin, "/trace", q="action:GetObject")
    assert caught.value.hint == "did you mean s3:GetObject?"
    page = shown(desk, admin, "/trace", q="action:GetObject")
    assert "did you mean s3:GetObject?" in page
    found = told(desk, admin, "/trace", q="action:s3:PutBucketTagging")
    assert found.document.items == []
