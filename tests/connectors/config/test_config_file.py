from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.behaviour import EntityKind
from answerable.model.config import (
    ListenAddress,
    StdioCallerRule,
    TokenCallerRule,
    UnixCallerRule,
)
from answerable.model.decision import EnforcementMode
from answerable.model.learning_config import ColdStartMode, LearningConfig
from answerable.model.upstream_credential import UpstreamCredential
from tests.connectors.config.full_config import DECISIONS, ISSUERS, REST, SOURCES, WEB
from tests.connectors.config.readings import faults, read

FULL = """\
store: evidence
state: /run/gw
default_mode: shadow
listen:
  api: "[::1]:8470"
  workers: 2
  gateway:
    - address: 127.0.0.1:0
      hosts: [GW.example, "localhost:8471"]
      origins: [https://page.example]
      url: https://gw.example
      tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}
    - unix: gw.sock
issuers:
  corp:
    iss: https://idp.example
    audience: https://gw.example/mcp
    keys: jwks.json
    algs: [ES256]
    max_ttl: 600
    bearer: true
    ours: false
servers:
  files:
    url: https://files.example/mcp
    ca: ca.pem
    certificate: cert.pem
    key: key.pem
    reads: [read_file, "list_*"]
    sensitive: ["file:///secrets/*"]
  sqlite:
    command: [uvx, mcp-server-sqlite]
    env: {LEVEL: debug}
    inherit_env: [TOKEN]
    credential: {file: secrets/sqlite, as_env: SQLITE_KEY}
agents:
  invoices:
    owner: ana@example.com
    mode: observe
    callers:
      - {issuer: corp, sub: svc-invoices}
      - {unix: {uid: 1001, gid: 5, unit: a.service}}
      - {stdio: sqlite}
    allow:
      - {server: files, tools: [read_file], resources: ["*"], prompts: [], inputs: [roots]}
limits: {drain: 5, spool: 300000000}
telemetry: {otlp: "http://127.0.0.1:4318"}
"""

TOOLS = """    tools:
      write_file: {sensitive: [path], trusted: ["id"], sum: [size], kinds: {path: path}}
  sqlite:
"""
WATCHED = """    baseline: {values: false, span: 30m, cold: shadow}
    callers:
"""
TABLES = """tables:
  places:
    values: [/srv/a, /srv/b]
    sinks: [{server: files, tool: write_file, argument: path}]
limits:"""
BEHAVING = (
    FULL.replace("  sqlite:\n", TOOLS)
    .replace("    callers:\n", WATCHED)
    .replace("limits:", TABLES)
)


def test_a_whole_file_is_read() -> None:
    reading = read(FULL)
    assert reading.faults == ()
    config = reading.config
    assert config is not None
    assert (config.store, config.state) == ("/etc/answerable/evidence", "/run/gw")
    assert config.listen.api == ListenAddress("::1", 8470)
    assert str(config.listen.api) == "[::1]:8470"
    first, second = config.listen.gateway
    assert first.hosts == ("gw.example", "localhost:8471")
    assert first.tls is not None
    assert first.tls.client_ca == "/etc/answerable/ca.pem"
    assert (second.address, second.unix) == (None, "/etc/answerable/gw.sock")
    (issuer,) = config.issuers
    assert (issuer.pin.name, issuer.pin.max_ttl, issuer.bearer) == ("corp", 600, True)
    assert issuer.keys == "/etc/answerable/jwks.json"
    files, sqlite = config.servers
    assert files.reads == ("read_file", "list_*")
    assert sqlite.env == (("LEVEL", "debug"),)
    assert files.credential is None
    kept = "/etc/answerable/secrets/sqlite"
    assert sqlite.credential == UpstreamCredential(
        kept, (), "", 0, "", "", "SQLITE_KEY"
    )
    assert config.default_mode is EnforcementMode.SHADOW
    (agent,) = config.agents
    assert agent.id == "agent:declared/invoices"
    assert agent.callers == (
        TokenCallerRule("corp", "svc-invoices"),
        UnixCallerRule(1001, 5, "a.service"),
        StdioCallerRule("sqlite"),
    )
    assert agent.allow[0].id == "agents.invoices.allow[0]"
    assert (config.limits.drain, config.limits.idle) == (5, 75)


def test_values_of_an_environment_are_not_shown() -> None:
    config = read(FULL).config
    assert "debug" not in repr(config)


def test_an_almost_empty_file_has_usual_listeners() -> None:
    reading = read("servers: {}\n")
    assert reading.faults == ()
    assert reading.config is not None
    assert str(reading.config.listen.api) == "127.0.0.1:8470"
    assert str(reading.config.listen.gateway[0].address) == "127.0.0.1:8471"
    assert reading.config.default_mode is EnforcementMode.ENFORCE


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("mode: observe", "mode: obey", "39:11 agents.invoices.mode: expected one of"),
        ("mode: observe", "mod: observe", "39:5 agents.invoices: unknown key 'mod'"),
        ("workers: 2", "workers: 0", "6:12 listen.workers: expected a number from 1"),
        ("workers: 2", "workers: true", "6:12 listen.workers: expected a whole number"),
        ("workers: 2", 'workers: "2"', "6:12 listen.workers: expected a whole number"),
        (
            "url: https://gw.example",
            "url: https://gw.example/x",
            "listen.gateway[0].url",
        ),
        (
            "    - unix: gw.sock",
            "    - hosts: []",
            "listen.gateway[1]: address or unix",
        ),
        ("key: key.pem, client", "client", "listen.gateway[0].tls: key is missing"),
        ("iss: https://idp", "iss: http://idp", "issuers.corp.iss: issuer corp:"),
        ("algs: [ES256]", "algs: [none]", "issuers.corp.algs: expected one of ES256"),
        (
            "keys: jwks.json",
            "keys: http://idp.example/k",
            "issuers.corp.keys: expected an https",
        ),
        (
            "    audience: https://gw.example/mcp\n",
            "",
            "issuers.corp: audience is missing",
        ),
        ("url: https://files", "url: http://files", "files.url: http outside loopback"),
        (
            "    command: [uvx",
            "    comand: [uvx",
            "servers.sqlite: expected exactly one of url, command and hook",
        ),
        (
            "{file: secrets/sqlite, ",
            "{",
            "sqlite.credential: expected exactly one of file",
        ),
        (
            "{file: secrets/sqlite,",
            "{file: a, env: B,",
            "credential: expected exactly one of",
        ),
        (", as_env: SQLITE_KEY", "", "sqlite.credential: as_env is missing"),
        ("as_env: SQLITE_KEY", "as_env: LD_PRELOAD", "as_env: expected a variable"),
        ("as_env: SQLITE_KEY", "as_env: PATH", "as_env: expected a variable that"),
        ("as_env: SQLITE_KEY", "as_env: TOKEN", "as_env: already set by env or"),
        (
            "as_env: SQLITE_KEY",
            "as_env: A=B",
            "as_env: expected the name of an environment",
        ),
        ("as_env: SQLITE_KEY", "header: X-Key", "header: requires url"),
        ("{file: secrets/sqlite,", "{file: a, ttl: 60,", "ttl: requires command"),
        (
            "{file: secrets/sqlite,",
            "{command: [./x],",
            "command: expected an absolute path or",
        ),
        (
            "{file: secrets/sqlite,",
            "{env: A=B,",
            "credential.env: expected the name of an",
        ),
        ("{file: secrets/sqlite,", "{fiel: a,", "unknown key 'fiel'; did you mean"),
        ('"list_*"', '"li*st"', "servers.files.reads: expected a name, `*`, or"),
        (
            "secrets/*",
            "secrets/../*",
            "servers.files.sensitive: expected a name, `*`, or",
        ),
        ("  sqlite:\n", "  sql/ite:\n", "servers.sql/ite: expected a name of letters"),
        (
            "issuer: corp",
            "issuer: crop",
            "callers[0].issuer: not defined under issuers",
        ),
        (", sub: svc-invoices", "", "callers[0]: sub is missing"),
        ("uid: 1001, ", "", "callers[1].unix: uid is missing"),
        ("{stdio: sqlite}", "{}", "callers[2]: expected one of issuer and sub, unix"),
        (
            "{server: files",
            "{server: flies",
            "allow[0].server: not defined under servers",
        ),
        (
            "inputs: [roots]",
            "inputs: [root]",
            "allow[0].inputs: expected one of elicitation",
        ),
        ("tools: [read_file]", "tools: read_file", "allow[0].tools: expected a list"),
        ("tools: [read_file]", "tools: [7]", "allow[0].tools[0]: expected a string"),
        (
            "owner: ana@example.com",
            'owner: " "',
            "invoices.owner: expected a printable string",
        ),
        (
            "spool: 300000000",
            "spool: 1000",
            "limits.spool: expected a number from 268435456",
        ),
        (
            "tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}",
            "tls:",
            "listen.gateway[0].tls: certificate is missing",
        ),
        ("drain: 5", "drian: 5", "limits: unknown key 'drian'; did you mean drain?"),
        ('"http://127.0.0.1:4318"', "nowhere", "telemetry.otlp: expected a URL"),
        ("[::1]:8470", "8470", "listen.api: expected an address HOST:PORT"),
        ("[::1]:8470", "0.0.0.0:8470", "listen.api: outside loopback"),
    ],
)
def test_a_fault_is_told_with_its_place(old: str, new: str, fault: str) -> None:
    assert FULL.count(old) == 1
    told = faults(FULL.replace(old, new))
    assert any(fault in each for each in told), told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1 : the file is empty"),
        ("a: 1\na: 2\n", "2:1 : duplicate key"),
        ("servers: &a {}\n", "1:10 : YAML anchors and aliases"),
        ("servers: *a\n", "1:10 : YAML anchors and aliases"),
        ("servers: !!python/object:x {}\n", "1:10 : YAML tags are not supported"),
        ("<<: {a: b}\n", "1:1 : unknown key '<<'"),
        ("listen: {insecure: yes}\n", "1:20 : ambiguous value: quote it"),
        ("store: 0x1f\n", "1:8 : ambiguous value: quote it"),
        ("{a: b}: c\n", "1:1 : keys must be strings"),
        ("a: [\n", "invalid YAML"),
        ("a: 1\n---\nb: 2\n", "expected a single YAML document"),
        ("- a\n", "1:1 : expected a mapping"),
        ("a: " + "[" * 40, "more than 16 levels of nesting"),
        ("store: " + "x" * (1 << 20), "larger than 1 MiB"),
        ("store: a\x00b\n", "YAML does not allow this character"),
    ],
)
def test_what_is_not_read_in_one_way_only_is_refused(text: str, fault: str) -> None:
    told = faults(text)
    assert any(fault in each for each in told), told


def test_no_message_repeats_a_value() -> None:
    planted = "tok-5ecret"
    for line in FULL.splitlines():
        key, colon, _ = line.partition(": ")
        if colon and not key.lstrip().startswith("-"):
            text = FULL.replace(line, f"{key}: [{{{planted}: {planted}}}]", 1)
            assert planted not in " ".join(faults(text)).replace(f"'{planted}'", "")


def test_faults_of_the_policy_alone_are_told_apart() -> None:
    wrong = read(FULL.replace("mode: observe", "mode: obey"))
    assert wrong.is_valid_except_policy
    assert not read(FULL.replace("workers: 2", "workers: 0")).is_valid_except_policy
    assert not read("a: [").is_valid_except_policy


def test_what_is_said_of_behaviour_is_read() -> None:
    config = read(BEHAVING).config
    assert config is not None
    ((tool, facts),) = config.servers[0].tools
    assert (tool, facts.sensitive, facts.trusted) == ("write_file", ("path",), ("id",))
    assert (facts.summed, facts.kinds) == (("size",), (("path", EntityKind.PATH),))
    assert facts.is_write
    (table,) = config.tables
    assert table.sinks == {("files/write_file", "path")}
    assert table.values == {"/srv/a", "/srv/b"}
    assert config.agents[0].baseline == LearningConfig(
        values=False, span=1800, cold=ColdStartMode.SHADOW
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kinds: {path: path}", "kinds: {path: road}", "one of arn, s3"),
        ("tool: write_file, argument", "tool: write_file, arguments", "argument"),
        (
            "server: files, tool: w",
            "server: nowhere, tool: w",
            "not defined under servers",
        ),
        ("cold: shadow", "cold: icy", "one of off, shadow, enforce"),
        ("span: 30m", "span: 1s", "60 to 86400 seconds"),
    ],
)
def test_what_is_wrong_about_behaviour_is_told(old: str, new: str, told: str) -> None:
    assert any(told in each for each in faults(BEHAVING.replace(old, new)))


def test_two_agents_never_have_one_caller() -> None:
    second = "  other:\n    callers: [{stdio: sqlite}]\nlimits:"
    told = faults(FULL.replace("limits:", second))
    assert any(
        "one of these callers already belongs to another agent" in each for each in told
    )


@given(st.text(st.sampled_from("a:-[]{}&*!#|>'\" \n\t,?0x"), max_size=60))
def test_any_text_is_a_configuration_or_has_faults(text: str) -> None:
    reading = read(text)
    assert reading.faults or reading.config is not None


@pytest.fixture(scope="module")
def page() -> str:
    root = Path(__file__).parents[3]
    return (root / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_documentation_names_every_key_and_no_other(page: str) -> None:
    documented = {
        line.split("`")[1] for line in page.splitlines() if line.startswith("| `")
    }
    issuers = BEHAVING.replace("servers:\n", ISSUERS + "servers:\n")
    whole = issuers + REST + DECISIONS + WEB + SOURCES
    assert documented == read(whole).known_keys


def test_the_example_of_the_documentation_is_right(page: str) -> None:
    example = page.split("```yaml\n")[1].split("```")[0]
    assert faults(example) == []


def test_the_defaults_of_the_documentation_hold(
    page: str, default_of: Callable[[str], str]
) -> None:
    config = read("servers: {}\n").config
    assert config is not None
    for name in type(config.limits).__dataclass_fields__:
        assert default_of(f"limits.{name}") == str(getattr(config.limits, name))


@pytest.fixture
def default_of(page: str) -> Callable[[str], str]:
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    defaults = {row[1].strip(" `"): row[3].strip(" `") for row in rows}
    return defaults.__getitem__
