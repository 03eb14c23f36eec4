"""The section `web`: who may sign in, and where."""

import pytest

from answerable.model.config import ListenAddress
from answerable.model.web_config import WebRole
from tests.connectors.config.full_config import WEB
from tests.connectors.config.readings import read

ISSUERS = """\
issuers:
  people:
    iss: https://idp.example
    audience: answerable-cli
    keys: discovery
    tokens: [id-token, access-token]
    person: email
  machines: {iss: https://machines.example, audience: us, keys: discovery}
"""


def test_every_key_is_read() -> None:
    reading = read(ISSUERS + WEB)
    assert reading.faults == ()
    assert reading.config is not None
    web = reading.config.web
    assert web is not None
    assert web.login is not None
    assert (web.url, web.state) == ("https://answerable.example", "/etc/answerable/web")
    assert web.local == "ana@example.com"
    (listener,) = web.listen
    assert (listener.url, listener.hosts) == (web.url, ("answerable.example",))
    login = web.login
    assert login.get_web_roles_of_claims(frozenset({"security", "x"})) == {
        WebRole.ADMIN,
        WebRole.INVESTIGATOR,
        WebRole.OWNER,
    }
    assert login.get_web_roles_of_claims(frozenset({"all staff"})) == {
        WebRole.VIEWER,
        WebRole.OWNER,
    }
    assert login.get_web_roles_of_claims(frozenset()) == {WebRole.OWNER}


def test_with_nothing_said_it_is_on_this_machine_and_health_moves_away() -> None:
    reading = read("web: {local: {person: ana@example.com}}\n")
    assert reading.faults == ()
    assert reading.config is not None
    assert reading.config.web is not None
    (listener,) = reading.config.web.listen
    assert listener.address == ListenAddress("127.0.0.1", 8470)
    assert reading.config.listen.api == ListenAddress("127.0.0.1", 8475)


def test_health_stays_where_the_file_says() -> None:
    reading = read("web: {audience: a}\nlisten: {api: 127.0.0.1:9}\n")
    assert reading.config is not None
    assert reading.config.listen.api == ListenAddress("127.0.0.1", 9)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("127.0.0.1:0", "0.0.0.0:0", ""),  # with TLS
        ("tls: {certificate: a, key: b}", "hosts: []", ""),
        ('127.0.0.1:0", origins: [], tls: {certificate: a, key: b}', '0.0.0.0:1"', "t"),
        (
            "https://answerable.example\n",
            "http://answerable.example\n",
            "expected https",
        ),
        ("https://answerable.example\n", "https://a.example/x\n", "expected scheme"),
        ("issuer: people", "issuer: nobody", "not defined"),
        ("issuer: people", "issuer: machines", "identify no person"),
        ("    issuer: people\n", "", "issuer is missing"),
        ("client_secret_env: WEB_SECRET", "client_secret_env: s3cr3t!", "the name of"),
        ("security: [admin,", "security: [root,", "expected roles from"),
        ("viewer}", "{staff: viewer}}", "values of the claim"),
        ("[owner]", "[boss]", "expected roles from"),
        ("claim: groups, ", "", "claim is missing"),
        ("example/api", "example/api\n  listen_at: x", "unknown key"),
        (
            "audience: https://answerable.example/api",
            "audience: answerable-web",
            "other",
        ),
        ('ana@example.com"', 'ana@example.com"', ""),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, told: str) -> None:
    faults = [
        f"{each.path}: {each.message}"
        for each in read(ISSUERS + WEB.replace(old, new)).faults
    ]
    assert any(told in each for each in faults) if told else faults == []


def test_a_map_that_grants_no_role_is_an_error() -> None:
    text = ISSUERS + "web: {login: {issuer: people, client_id: us}}\n"
    assert any("no role can be granted" in each.message for each in read(text).faults)


def test_tokens_without_a_login_are_told() -> None:
    assert any("requires login" in f.message for f in read("web: {audience: a}").faults)
