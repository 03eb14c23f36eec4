"""Rules looked at from a terminal: what fits, what does not, and no secret shown."""

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.federation.sample_tokens import EC, OTHER_EC, document, public, sign

CONFIG = """\
issuers:
  corp: {iss: "https://idp.example", audience: "https://sts.example", keys: keys.json, tokens: [jwt]}
  far: {iss: "https://far.example", audience: "https://sts.example", keys: discovery, tokens: [jwt]}
sts: {url: "https://sts.example"}
rules:
  - id: bot
    issuer: corp
    match: {team: build, x: {level: 3}}
    match_glob: {ref: "refs/heads/*"}
    agent: agent:declared/bot
    grants: [{audience: "https://mcp.example", scopes: [read]}]
  - id: local
    unix: {uid: 1500}
    agent: agent:declared/bot
    grants: [{audience: "https://mcp.example"}]
"""
CLAIMS = {
    "iss": "https://idp.example",
    "team": "build",
    "x": {"level": 3},
    "ref": "refs/heads/main",
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "keys.json").write_bytes(document(public(EC, kid="k1")))
    place = tmp_path / "answerable.yaml"
    place.write_text(CONFIG)
    return str(place)


@pytest.fixture
def said(run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command with something on standard input, and read its document."""

    def said(given: str, *words: str) -> tuple[int, list[dict[str, Any]], str]:
        stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        ran = run("token-service", *words, "-o", "json")
        items = json.loads(ran.out)["items"] if ran.out else []
        return ran.code, items, ran.out + ran.err

    return said


def test_rules_are_listed_with_what_is_wrong(said, config: str, run) -> None:
    code, items, _ = said("", "rules", "--config", config)
    assert code == 0
    assert [item["rule"] for item in items] == ["bot", "local"]
    assert items[0]["match"] == {
        "team": "build",
        "x.level": "3",
        "ref": "like refs/heads/*",
    }
    assert (items[0]["owner"], items[0]["faults"]) == (None, [])
    assert len(items[0]["digest"]) == 64
    table = run("token-service", "rules", "--config", config)
    assert "unix uid=1500" in " ".join(table.out.split())
    assert "https://mcp.example (read)" in table.out
    place = Path(config)
    place.write_text(CONFIG.replace("team: build", "iss: x").replace("{level: 3}", "7"))
    wrong = CONFIG.replace('"refs/heads/*"', '"^refs"').replace("1500", "0")
    place.write_text(wrong)
    code, items, _ = said("", "rules", "--config", config)
    assert code == 1
    (fault,) = items[0]["faults"]
    assert (fault["at"], fault["line"]) == ("match_glob", 9)
    assert fault["what"].startswith("pattern: ")
    assert items[1]["faults"][0]["what"].startswith("root: ")
    table = run("token-service", "rules", "--config", config)
    assert "bot: 9:" in table.out


def test_claims_are_held_against_every_rule(said, config: str, run) -> None:
    words = ("test", "--config", config, "--claims", "-")
    code, items, _ = said(json.dumps(CLAIMS), *words, "--expect", "bot")
    assert code == 0
    assert [item["fits"] for item in items] == [True, False]
    assert items[1]["claim"] == "attestor"
    other = json.dumps({**CLAIMS, "x": {"level": True}, "ref": "s3cret"})
    code, items, told = said(other, *words, "--expect", "none")
    assert code == 0
    assert (items[0]["claim"], items[0]["how"]) == ("x.level", "kind")
    assert "s3cret" not in told
    assert said(other, *words, "--expect", "bot")[0] == 1
    assert said(json.dumps(CLAIMS), *words, "--expect", "none")[0] == 1
    assert said(json.dumps(CLAIMS), *words, "--expect", "nobody")[0] == 2
    peer = json.dumps({"attestor": "unix-peer", "uid": 1500})
    assert said(peer, *words, "--expect", "local")[0] == 0
    for wrong in ("[]", "{", '{"attestor": "me"}', '{"attestor": "unix-peer", "x": 1}'):
        assert said(wrong, *words)[0] == 2
    file = Path(config).with_name("claims.json")
    file.write_text(json.dumps(CLAIMS))
    table = run("token-service", "test", "--config", config, "--claims", str(file))
    assert table.code == 0
    assert "fits" in table.out
    gone = run("token-service", "test", "--config", config, "--claims", str(file) + "x")
    assert gone.code == 2


def token(key: Any = EC, kid: str = "k1", **changes: Any) -> str:
    now = int(time.time())
    payload = {**CLAIMS, "sub": "svc", "aud": "https://sts.example", "iat": now}
    payload |= {"exp": now + 300, "note": "s3cret-note"} | changes
    return sign({"alg": "ES256", "kid": kid}, payload, key)


def checks(items: list[dict[str, Any]]) -> dict[str, bool | None]:
    return {item["check"]: item["ok"] for item in items}


def test_a_token_is_explained_and_never_shown(said, config: str, run) -> None:
    good = token()
    code, items, told = said(good, "explain", "-", "--config", config)
    found = checks(items)
    assert code == 0
    assert found["verifies"] is True
    assert found["rule bot matches"] is True
    assert found["rule local matches"] is False
    assert "sub svc" in told
    for part in (good, *good.split("."), "s3cret-note"):
        assert part not in told
    table = run("token-service", "explain", good, "--config", config)
    assert table.code == 0
    assert good.split(".")[2] not in table.out + table.err
    assert "ok   verifies" in table.out


@pytest.mark.parametrize(
    ("made", "check", "ok"),
    [
        (token(OTHER_EC), "verifies", False),
        (token(exp=5), "verifies", False),
        (token(kid="k9"), "verifies", False),
        (token(team="other"), "one rule matches", False),
        (token(iss="https://nobody.example"), "its issuer is pinned", False),
        (token(iss="https://far.example"), "verifies", None),
        ("a.b.c", "is a token", False),
        ("s3cret", "is a token", False),
    ],
)
def test_what_does_not_hold_is_said(
    said, config: str, made: str, check: str, ok: bool | None
) -> None:
    code, items, told = said(made, "explain", "-", "--config", config)
    assert checks(items)[check] is ok
    assert code == 1
    assert made not in told


def test_a_configuration_with_other_faults_is_not_judged(run, config: str) -> None:
    Path(config).write_text(CONFIG.replace("tokens: [jwt]", "tokens: [jot]"))
    for words in (("rules",), ("explain", "x"), ("test", "--claims", "-")):
        assert run("token-service", *words, "--config", config).code == 2
