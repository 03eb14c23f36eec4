"""The web page as a process: alone, beside a gateway, reloaded, ended."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.cli.main import main
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.store.store import EvidenceStore
from answerable.web.runtime.settings import load_settings
from answerable.web.runtime.sign_in_setup import build_login_settings, is_local_listener
from tests.gateway.serve.running_gateway import SECONDS, configuration, serving
from tests.web.dispatcher_harness import FORM


class Browser:
    """Goes to one address, and keeps its cookie."""

    def __init__(self, at: str) -> None:
        self.at, self.cookie = at, ""

    def ask(
        self, method: str, path: str, **form: str
    ) -> tuple[int, dict[str, str], str]:
        with closing(http.client.HTTPConnection(self.at, timeout=SECONDS)) as line:
            fields = {"cookie": self.cookie} if self.cookie else {}
            if method == "POST":
                fields["content-type"] = FORM
            line.request(method, path, urlencode(form) if form else None, fields)
            answer = line.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read().decode()
        if "set-cookie" in said:
            self.cookie = said["set-cookie"].partition(";")[0]
        return answer.status, said, body

    def sign_out(self) -> int:
        """Send the form of the page that says so."""
        page = self.ask("GET", "/")[2]
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        return self.ask("POST", "/sign-out", csrf=token)[0]

    def sign_in(self, link: str) -> int:
        token = link.partition("#")[2]
        return self.ask("POST", "/sign-in", token=token)[0]


def started(*words: str, lines: int) -> tuple[subprocess.Popen[str], dict[str, str]]:
    argv = [sys.executable, "-m", "answerable", *words]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline().split(maxsplit=1) for _ in range(lines)]
    return process, {what: where.strip() for what, where in said}


def cut_off(at: str) -> bool:
    """Send a head without end; return whether we were cut off before all of it went."""
    host, _, port = at.partition(":")
    with socket.create_connection((host, int(port)), SECONDS) as line:
        try:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
            for _ in range(1000):
                line.sendall(b"a" * 65536)
        except OSError:
            return True
    return False


def test_without_store_and_configuration_it_says_so_and_makes_nothing(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="no store at"):
        load_settings("", tmp_path / "mistyped", tmp_path / "usual")
    assert list(tmp_path.iterdir()) == []


def wait_until_ready(browser: Browser) -> None:
    until = time.monotonic() + SECONDS
    while (said := json.loads(browser.ask("GET", "/readyz")[2])) and not said["ready"]:
        assert said["reasons"] == ["the store is being loaded"]
        assert time.monotonic() < until, "what is asked for is made soon"
        time.sleep(0.05)


def test_without_a_configuration_it_shows_the_usual_store_to_whoever_has_the_link(
    tmp_path: Path,
) -> None:
    EvidenceStore.open(tmp_path / "store", now=1).close()
    store = ("--store", str(tmp_path / "store"))
    words = ("serve", "--only", "web", "--listen", "127.0.0.1:0")
    process, said = started(*store, *words, lines=2)
    try:
        at = said["web"].removeprefix("http://")
        assert said["sign-in"].startswith(said["web"] + "/sign-in#")
        browser = Browser(at)
        assert browser.ask("GET", "/agents")[0] == 303
        assert browser.sign_in(said["sign-in"]) == 303
        assert browser.ask("GET", "/agents")[0] == 200
        assert Browser(at).sign_in(said["sign-in"]) == 403  # it was used
        _, _, numbers = browser.ask("GET", "/metrics")
        assert 'answerable_web_signed_in_total{by="local"} 1.0' in numbers
        assert 'answerable_web_not_signed_in_total{why="used"} 1.0' in numbers
        wait_until_ready(browser)
        assert cut_off(at)
        cookie = browser.cookie.partition("=")[2]
        assert browser.sign_out() == 303
        assert browser.ask("GET", "/agents")[0] == 303
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
    token = said["sign-in"].partition("#")[2]
    assert token not in log
    assert cookie not in log
    told = [json.loads(line) for line in log.splitlines()]
    entered = next(line for line in told if line["event"] == "sign-in.taken")
    assert (entered["by"], entered["roles"]) == ("local", ["admin"])
    events = [line["event"] for line in told]
    with EvidenceStore.open(tmp_path / "store", now=time.time_ns()) as kept:
        rows = kept.run_query("SELECT action, outcome FROM events ORDER BY sequence")
    tries = [("web:sign-in", "success"), ("web:sign-in", "denied")]
    assert rows == [*tries, ("web:sign-out", "success")]
    assert events[0] == "web.ready"
    assert events[-1] == "web.ended"


def test_beside_a_gateway_it_starts_reloads_and_ends_with_it(tmp_path: Path) -> None:
    web = {"listen": [{"address": "127.0.0.1:0"}], "local": {"person": "ana@a.example"}}
    said = configuration(9, web=web)
    with serving(tmp_path, said, lines=5) as served:
        browser = Browser(served.web)  # type: ignore[attr-defined]
        assert browser.sign_in(getattr(served, "sign-in")) == 303
        assert browser.ask("GET", "/agents")[0] == 200
        assert json.loads(served.get("/readyz")[1])["ready"]
        reloaded(served)
        assert browser.ask("GET", "/agents")[0] == 200  # it is for whom it was
        said["web"]["local"]["person"] = "ben@a.example"
        (tmp_path / "answerable.yaml").write_text(json.dumps(said))
        reloaded(served)
        assert browser.ask("GET", "/agents")[0] == 303
        log = json.dumps(served.log)
        assert served.end() == 0
    assert "#" not in log


def reloaded(served: Any) -> None:
    """Reload, and wait until the page has taken the file."""
    before = taken(served)
    served.reload()
    until = time.monotonic() + SECONDS
    while taken(served) < before + 1:
        assert time.monotonic() < until, served.log
        time.sleep(0.05)


def taken(served: Any) -> int:
    """Count how often the page took a file."""
    lines = [each for each in served.log if each.get("event") == "config.taken"]
    return sum(each.get("process") == "web" for each in lines)


def written(folder: Path, **web: Any) -> str:
    issuer = {
        "iss": "https://idp.example",
        "audience": "cli",
        "keys": "discovery",
        "tokens": ["id-token"],
        "person": "email",
    }
    path = folder / "answerable.yaml"
    path.write_text(json.dumps({"issuers": {"corp": issuer}, "web": web}))
    return str(path)


def test_the_link_is_for_listeners_of_this_machine_under_its_own_name(
    tmp_path: Path,
) -> None:
    cases = {
        ("127.0.0.1:8470", ""): True,
        ("[::1]:8470", ""): True,
        ("127.0.0.1:8470", "https://answerable.example"): False,  # behind a proxy
        ("127.0.0.1:8470", "http://localhost:8470"): True,
    }
    for (address, url), near in cases.items():
        said = {"url": url} if url else {}
        place = written(tmp_path, listen=[{"address": address}], **said)
        plan = load_settings(place, tmp_path, tmp_path)
        assert [is_local_listener(each) for each in plan.listen] == [near], (
            address,
            url,
        )


def test_outside_loopback_it_needs_tls_or_a_word(tmp_path: Path) -> None:
    place = written(tmp_path, listen=[{"address": "0.0.0.0:8470"}])
    with pytest.raises(ConfigError, match="outside loopback"):
        load_settings(place, tmp_path, tmp_path)
    with pytest.raises(UsageError, match="reachable from other machines"):
        load_settings("", tmp_path, tmp_path, "0.0.0.0:8470")
    with pytest.raises(UsageError, match="invalid listen address"):
        load_settings("", tmp_path, tmp_path, "nonsense")


def test_a_secret_comes_from_the_environment_and_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {
        "issuer": "corp",
        "client_id": "web",
        "client_secret_env": "WEB_SECRET",
        "default": ["owner"],
    }
    plan = load_settings(written(tmp_path, login=login), tmp_path, tmp_path)
    with pytest.raises(
        EnvironmentFailure, match="WEB_SECRET does not contain a client secret"
    ):
        build_login_settings(plan, "http://127.0.0.1:8470")
    monkeypatch.setenv("WEB_SECRET", "s3cret")
    place = build_login_settings(plan, "http://127.0.0.1:8470")
    assert place is not None
    assert place.redirect_uri == "http://127.0.0.1:8470/sign-in/callback"
    assert "s3cret" not in repr(place)


def test_other_doors_still_need_a_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (
        ["serve"],
        ["serve", "--only", "gateway"],
        ["serve", "--only", "sts"],
    ):
        assert main(words) == 2
        assert "--config is required" in capsys.readouterr().err


def test_waiting_decisions_are_looked_for_where_the_doors_keep_them(
    tmp_path: Path,
) -> None:
    EvidenceStore.open(tmp_path, now=1).close()
    plan = load_settings("", tmp_path, tmp_path)
    names = {path.parent.name for path in plan.spools}
    assert names == {"gateway", "sts", "decisions"}
