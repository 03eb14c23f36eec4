"""Each value is classed by where it stands, and by what its name and shape say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.command_line import parse_command_line
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_environment,
    find_in_header,
    find_in_url,
    find_in_variable,
)
from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
    credential_kind_of_name,
)
from answerable.connectors.formats.redaction import redact_url
from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    looks_random,
)
from answerable.connectors.formats.value_reference import split_references

KEY_ID = "AKIA6EQNFXABQUN2A7WB"


def classed(
    found: tuple[FoundCredential, ...] | list[FoundCredential],
) -> list[tuple[str, str, str, str]]:
    return [(item.cls.value, item.kind, item.name, item.value) for item in found]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("API_TOKEN", "abc123", ("literal", "bearer-token", "API_TOKEN", "abc123")),
        ("OPENAI_API_KEY", "x", ("literal", "api-key", "OPENAI_API_KEY", "x")),
        ("DB_PASSWORD", "12345", ("literal", "password", "DB_PASSWORD", "12345")),
        ("GITHUB_TOKEN", "${GH}", ("env-ref", "github-token", "GH", "GH")),
        ("A_TOKEN", "$GH_X", ("env-ref", "bearer-token", "GH_X", "GH_X")),
        ("A_TOKEN", "${env:B}", ("env-ref", "bearer-token", "B", "B")),
        ("A_TOKEN", "{env:B}", ("env-ref", "bearer-token", "B", "B")),
        ("A_TOKEN", "%B%", ("env-ref", "bearer-token", "B", "B")),
        ("A_TOKEN", "${{ secrets.B }}", ("env-ref", "bearer-token", "B", "B")),
        (
            "A_TOKEN",
            "${input:b}",
            ("keychain/input-ref", "bearer-token", "A_TOKEN", "b"),
        ),
        (
            "A_TOKEN",
            "op://v/i/f",
            ("keychain/input-ref", "bearer-token", "A_TOKEN", "op://v/i/f"),
        ),
        (
            "A_TOKEN",
            "$(pass show x)",
            ("keychain/input-ref", "bearer-token", "A_TOKEN", ""),
        ),
        (
            "A_TOKEN",
            "<YOUR_TOKEN>",
            ("keychain/input-ref", "bearer-token", "A_TOKEN", ""),
        ),
        ("A_TOKEN", "{file:~/t}", ("file-ref", "bearer-token", "A_TOKEN", "~/t")),
        ("A_TOKEN_FILE", "/t", ("file-ref", "bearer-token", "A_TOKEN_FILE", "/t")),
        ("KUBECONFIG", "/k", ("file-ref", "kubeconfig", "KUBECONFIG", "/k")),
        (
            "GOOGLE_APPLICATION_CREDENTIALS",
            "/g.json",
            ("file-ref", "gcloud-adc", "GOOGLE_APPLICATION_CREDENTIALS", "/g.json"),
        ),
        ("AWS_PROFILE", "dev", ("file-ref", "aws-profile", "AWS_PROFILE", "dev")),
        ("SSH_AUTH_SOCK", "/s", ("ambient", "ssh-agent", "SSH_AUTH_SOCK", "/s")),
        (
            "DATABASE_URL",
            "postgres://u:p@h/d",
            ("literal", "dsn", "DATABASE_URL", "postgres://u:p@h/d"),
        ),
        ("DATABASE_URL", "postgres://u:${P}@h/d", ("env-ref", "dsn", "P", "P")),
        ("ANYTHING", KEY_ID, ("literal", "aws-access-key", "ANYTHING", KEY_ID)),
        (
            "ANYTHING",
            "xoxb-12345678-abc",
            ("literal", "slack-token", "ANYTHING", "xoxb-12345678-abc"),
        ),
        (
            "CONN",
            "Server=h;Password=pw1;",
            ("literal", "dsn", "CONN", "Server=h;Password=pw1;"),
        ),
    ],
)
def test_a_variable_is_classed(
    name: str, value: str, expected: tuple[str, str, str, str]
) -> None:
    assert classed(find_in_variable(NamedText(name, "/p", value))) == [expected]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu-central-1"),
        ("LOG_LEVEL", "debug"),
        ("BASE_URL", "https://x.example/api"),
        ("DATABASE_URL", "postgres://h/d"),
        ("MAX_TOKENS", "4096"),
        ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "8000"),
        ("AUTH_TYPE", "oauth"),
        ("TOKEN_ENDPOINT", "https://x.example/token"),
        ("API_KEY_HEADER", "X-Key"),
        ("PUBLIC_KEY", "abc"),
        ("AUTHOR", "ana"),
        ("KEYBOARD", "de"),
        ("USE_AUTH", "true"),
        ("A_TOKEN", ""),
        ("CLIENT_ID", "abc"),
        ("PATH_PREFIX", "${workspaceFolder}/x"),
        ("MONKEY", "banana"),
        ("IMAGE", "ghcr.io/a/b:1.2.3"),
    ],
)
def test_a_plain_setting_is_no_credential(name: str, value: str) -> None:
    assert find_in_variable(NamedText(name, "/p", value)) == ()


def test_a_default_that_is_literal_is_a_literal() -> None:
    found = find_in_variable(NamedText("A_TOKEN", "/p", "${B:-s3cr3t}"))
    assert [(item.cls.value, item.value) for item in found] == [
        ("env-ref", "B"),
        ("literal", "s3cr3t"),
    ]
    nested = find_in_variable(NamedText("A_TOKEN", "/p", "${B:-${C:-s3cr3t}}"))
    assert ("literal", "s3cr3t") in [(item.cls.value, item.value) for item in nested]


def test_an_aws_pair_is_one_credential_named_by_its_key_id() -> None:
    pair = [
        NamedText("AWS_SECRET_ACCESS_KEY", "/s", "secret"),
        NamedText("AWS_ACCESS_KEY_ID", "/k", KEY_ID),
        NamedText("AWS_SESSION_TOKEN", "/t", "token"),
    ]
    assert classed(find_in_environment(pair)) == [
        ("literal", "aws-access-key", "AWS_ACCESS_KEY_ID", KEY_ID)
    ]
    refs = [NamedText(item.name, "/p", f"${{{item.name}}}") for item in pair]
    assert [item.name for item in find_in_environment(refs)] == ["AWS_ACCESS_KEY_ID"]


def test_a_secret_without_its_key_id_stands_alone() -> None:
    alone = find_in_environment([NamedText("AWS_SECRET_ACCESS_KEY", "/s", "secret")])
    assert [(item.cls.value, item.kind) for item in alone] == [
        ("literal", "aws-secret-key")
    ]
    beside = find_in_environment(
        [
            NamedText("AWS_ACCESS_KEY_ID", "/k", "${ID}"),
            NamedText("AWS_SECRET_ACCESS_KEY", "/s", "secret"),
        ]
    )
    assert [item.cls.value for item in beside] == ["env-ref", "literal"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Bearer abc", ("literal", "bearer-token", "abc")),
        ("Authorization", "Basic YW5hOnB3MTI=", ("literal", "bearer-token", "pw12")),
        ("authorization", "Bearer $A_PAT", ("env-ref", "bearer-token", "A_PAT")),
        ("X-API-Key", "${input:k}", ("keychain/input-ref", "api-key", "k")),
        ("Cookie", "sid=1", ("literal", "api-key", "sid=1")),
        ("X-Custom", "8f3kQ92hd7Zq1Lm4", ("literal", "api-key", "8f3kQ92hd7Zq1Lm4")),
    ],
)
def test_a_header_is_classed(name: str, value: str, expected: tuple[str, ...]) -> None:
    found = find_in_header(NamedText(name, "/p", value))
    assert [(item.cls.value, item.kind, item.value) for item in found] == [expected]


@pytest.mark.parametrize("name", ["Accept", "X-Trace", "Content-Type", "X-Org"])
def test_a_plain_header_is_no_credential(name: str) -> None:
    assert find_in_header(NamedText(name, "/p", "application/json")) == ()


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("https://u:pw@h.example/x", ["pw"]),
        ("https://h.example/x?token=t1&lang=en&api_key=k1", ["t1", "k1"]),
        ("https://h.example/x#access_token=t1", ["t1"]),
        ("https://h.example/x?token=${T}", ["T"]),
        ("https://ghp_abcdefghij1234@h.example/x", ["ghp_abcdefghij1234"]),
        ("https://h.example/s/NTQyMzE5ZmFrZTEyMzQ1/mcp", ["NTQyMzE5ZmFrZTEyMzQ1"]),
        ("https://h.example:8080/@scope/pkg?page=2", []),
        ("https://registry.example/@scope/pkg@1.2.3", []),
    ],
)
def test_a_url_gives_up_its_userinfo_query_and_path(
    url: str, values: list[str]
) -> None:
    assert [item.value for item in find_in_url(NamedText("url", "/u", url))] == values


@pytest.mark.parametrize(
    ("words", "expected", "shown"),
    [
        ("x --token abc", [("literal", "abc")], "x --token ***"),
        ("x --api-key=abc", [("literal", "abc")], "x --api-key=***"),
        ("x --token ${T}", [("env-ref", "T")], "x --token ${T}"),
        ("x -e A_TOKEN=abc", [("literal", "abc")], "x -e A_TOKEN=***"),
        ("x -eA_TOKEN=abc", [("literal", "abc")], "x -eA_TOKEN=***"),
        ("docker run -e A_TOKEN i", [("env-ref", "A_TOKEN")], None),
        ("docker run -e LEVEL i", [], None),
        ("docker run -e GIVEN_TOKEN i", [], None),
        ("x --header Authorization:abc", [("literal", "abc")], None),
        ("x --credentials-file /c", [("file-ref", "/c")], "x --credentials-file /c"),
        ("x postgres://u:p@h/d", [("literal", "postgres://u:p@h/d")], None),
        ("x -u ana:pw", [("literal", "pw")], "x -u ana:***"),
        ("env A_TOKEN=abc x", [("literal", "abc")], "env A_TOKEN=*** x"),
        ("x --token --verbose", [], "x --token --verbose"),
        ("x --port 8080 --name shop", [], "x --port 8080 --name shop"),
    ],
)
def test_a_command_line_is_classed_and_shown_without_its_secrets(
    words: str, expected: list[tuple[str, str]], shown: str | None
) -> None:
    positions = [NamedText("", f"/{n}", word) for n, word in enumerate(words.split())]
    argv = parse_command_line(positions, {"GIVEN_TOKEN"})
    assert [(item.cls.value, item.value) for item in argv.found] == expected
    assert shown is None or " ".join(argv.redacted_words) == shown


def test_a_shell_line_and_a_json_argument_are_read_inside() -> None:
    shell = parse_command_line(
        [NamedText("", "/0", "export A_TOKEN=abc; x --password 'pw1'")]
    )
    assert [item.value for item in shell.found] == ["abc", "pw1"]
    assert "abc" not in " ".join(shell.redacted_words)
    config = parse_command_line(
        [NamedText("", "/0", '{"a": {"apiKey": "abc"}, "n": 1}')]
    )
    assert [item.value for item in config.found] == ["abc"]
    assert config.redacted_words == ["{...}"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GITHUB_PERSONAL_ACCESS_TOKEN", "github-token"),
        ("NPM_TOKEN", "npm-token"),
        ("clientSecret", "client-secret"),
        ("refresh_token", "oauth-token"),
        ("PGPASSWORD", "password"),
        ("X-API-Key", "api-key"),
        ("MONGODB_URI", "dsn"),
    ],
)
def test_a_name_says_the_kind(name: str, kind: str) -> None:
    assert classify_value_by_name(name) is not ValueMeaning.NOTHING
    assert credential_kind_of_name(name) == kind


@pytest.mark.parametrize(
    "text",
    [
        "@modelcontextprotocol/server-filesystem",
        "awslabs.cloudwatch-applicationsignals-mcp-server@latest",
        "getIamPolicyDocumentForUser",
        "server-2025-11-25",
        "kubernetes-dashboard-v2",
        "Hex1b.McpServer",
    ],
)
def test_names_do_not_look_random(text: str) -> None:
    assert not looks_random(text)


@pytest.mark.parametrize(
    "text",
    [
        "8f14e45fceea167a5a36dedd4bea2543",
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "NTQyMzE5ZmFrZTEyMzQ1Njc4OQ",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    ],
)
def test_generated_texts_look_random(text: str) -> None:
    assert looks_random(text)


@given(st.text(max_size=300))
def test_no_text_in_any_position_raises(text: str) -> None:
    for name in ("A_TOKEN", "DATABASE_URL", "PLAIN", text):
        find_in_variable(NamedText(name, "/p", text))
        find_in_header(NamedText(name, "/p", text))
    find_in_url(NamedText("url", "/p", text))
    parse_command_line(
        [NamedText("", "/p", text), NamedText("", "/p", f"--token={text}")]
    )
    split_references(text)
    classify_secret_format(text)


def test_what_is_found_does_not_show_its_value() -> None:
    position = NamedText("A_TOKEN", "/p", "${B:-hunter2}")
    shown = repr(
        (position, find_in_variable(position), split_references("${B:-hunter2}"))
    )
    assert "hunter2" not in shown


def test_a_reference_in_a_url_is_shown_without_control_characters() -> None:
    shown = redact_url("https://${\x1b[31mred" + "a " * 5_000 + "}@example.org/x")
    assert shown.isprintable()
    assert len(shown) < 300
