"""Spellings around a secret: none of them shows it, and none reaches the store."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.cli.main import main
from tests.stored_contents import iterate_stored_contents

_PER_HOME = 24
_NAMES = [
    "token",
    "apiKey",
    "API_KEY",
    "api-key",
    "X-Api-Key",
    "password",
    "Pwd",
    "db_password",
    "client_secret",
    "clientSecret",
    "Authorization",
    "access_token",
    "GITHUB_TOKEN",
    "auth.token",
    "secret",
    "accessKey",
    "AWS_SECRET_ACCESS_KEY",
    "connection_string",
]
_FRAME = zstandard.MAGIC_NUMBER.to_bytes(4, "little")

_TEXTS = st.sampled_from(
    [
        *("{N}=§", "{N}:§", "{N}: §", "{N} = §", "{N}:'§'", "{N}='§'", '{N}="§"'),
        *("'{N}':'§'", '"{N}":"§"', '"{N}" : "§"', "`{N}`: `§`", "{N}=>§", "{N} '§'"),
        *("{N}: Bearer §", '"{N}":"Bearer §"', "{N}=Bearer §", "{N}:\n  §", "[{N}]=§"),
        *('"{N}": ["§"]', '"{N}": {{"value": "§"}}', '{N}: "§', "-{N} §", "--{N} '§'"),
        *("u:§@h.example/x", "u/§@//h:1521/s", "https://u:§@h/x", "http:h?{N}=§"),
        *(
            "//h?a=b&{N}=§",
            "https:/h?{N}=§",
            "h.example/mcp?{N}=§",
            "h;{N}=§/y",
            ":§@h",
        ),
        *("a=b,{N}=§", "a=b;{N}=§;c=d", "export {N}=§; x", "set {N} '§' x", "/p:{N}=§"),
    ]
)
_AROUND = st.sampled_from(
    [
        *("¤", "{{¤}}", "{{x: 1, ¤}}", "[¤]", "{{a: {{¤", "'¤'", '"¤"', "--config=¤"),
        *("-x ¤", "run ¤ now", "x --opt '{{¤}}'", "cfg=¤", "(¤)", " ¤ ", "# c\n¤"),
        *("¤,{{", "a,¤"),
    ]
)


def _escape(text: str) -> str:
    return json.dumps(text)[1:-1]


_ENCODINGS = st.sampled_from(
    [
        lambda text: text,
        _escape,
        lambda text: _escape(_escape(text)),
        lambda text: quote(text, safe=""),
        lambda text: text.replace('"', "&quot;").replace("'", "&#39;"),
        lambda text: text.replace('"', "\\u0022").replace(":", "\\u003a"),
        lambda text: text.upper().replace(_secret_upper(text), _secret(text)),
    ]
)
_SECRETS = st.binary(max_size=8).map(
    lambda seed: (
        "CNRY" + re.sub(r"\W", "", b64encode(sha256(seed).digest()).decode())[:14]
    )
) | st.sampled_from(["CNRYhunterpasswd", "CNRYSESAMEOPEN", "CNRYopensesame7"])


def _secret(text: str) -> str:
    at = text.find("CNRY")
    rest = text[at:]
    return rest[: next((i for i, c in enumerate(rest) if not c.isalnum()), len(rest))]


def _secret_upper(text: str) -> str:
    return _secret(text).upper()


@st.composite
def _spelt(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a text that holds a secret, and the secret."""
    secret = draw(_SECRETS)
    text = draw(_TEXTS).format(N=draw(st.sampled_from(_NAMES))).replace("§", secret)
    text = draw(_AROUND).format().replace("¤", text)
    return draw(_ENCODINGS)(text), secret


def _entry(place: str, text: str) -> dict[str, object]:
    return {
        "argument": {"command": "npx", "args": ["x", text]},
        "option": {"command": "npx", "args": ["x", "--opt", text]},
        "joined": {"command": "npx", "args": [f"--opt={text}"]},
        "environment": {"command": "docker", "args": ["run", "-e", text, "i"]},
        "header": {"command": "npx", "args": ["--header", text]},
        "command": {"command": f"npx {text}"},
        "url": {"type": "http", "url": text},
        "path": {"type": "http", "url": f"https://h.example/{text}"},
        "unknown": {"command": "npx", "note": text, "env": {"SETTINGS": text}},
    }[place]


_PLACES = st.sampled_from(
    [
        "argument",
        "option",
        "joined",
        "environment",
        "header",
        "command",
        "url",
        "path",
        "unknown",
    ]
)


def _stored(store: Path) -> bytes:
    """Return everything a store holds, as it lies there and decompressed."""
    files = [each for each in store.rglob("*") if each.is_file()]
    return b"\n".join(part for file in files for part in iterate_stored_contents(file))


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    spelt=st.lists(st.tuples(_PLACES, _spelt()), min_size=_PER_HOME, max_size=_PER_HOME)
)
def test_no_spelling_around_a_secret_shows_or_stores_it(
    spelt: list[tuple[str, tuple[str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path_factory.mktemp("spellings")
    home, store = root / "ana", root / "store"
    home.mkdir()
    servers = {f"s{n}": _entry(place, each[0]) for n, (place, each) in enumerate(spelt)}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": servers}))
    said = ""
    for words in (["scan", f"home:{home}"], ["tools"], ["agents"], ["credentials"]):
        main(["--store", str(store), *words, "-o", "json", "--debug"])
        captured = capsys.readouterr()
        said += captured.out + captured.err
    everything = said.encode() + _stored(store)
    assert b"tool:mcp/s0/*" in everything
    shown = [
        (place, text)
        for place, (text, secret) in spelt
        if any(
            secret[at : at + 8].encode() in everything for at in range(len(secret) - 7)
        )
    ]
    assert shown == []
    print(f"{len(spelt)} spellings tried")
