"""Each `next:` names a command that answers, with the store and filters of its question."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from answerable.cli.app import app
from answerable.cli.main import main
from answerable.cli.sample.write_sample import write_sample
from answerable.presentation.command_hints import add_store_option, add_store_to_text

NOW = 1_794_000_000_000_000_000
BUCKET = "arn:aws:s3:::example-customer-data/*"
FIRST = [
    ["scan", "home:home/ana", "repo:repo", "aws:aws/account.json"],
    ["ingest", "cloudtrail:trail"],
]
ASKED = [
    ["agents"],
    ["identities"],
    ["credentials", "--owner-state", "none"],
    ["people"],
    ["tools"],
    ["who-owns", "report-bot"],
    ["who-owns", "tmp-export"],
    ["who-owns", "legacy-export"],
    *(["show", each] for each in ("reporter", "tool:mcp/warehouse/*", "person:ana")),
    *(
        ["show", each]
        for each in ("report-bot", "tmp-export", "s3://example-customer-data")
    ),
    ["can", "reporter", "s3:GetObject", BUCKET],
    ["who-can", "s3:GetObject", BUCKET],
    ["reach", "reporter"],
    ["reach", "reporter", "--used"],
    ["trace", "--limit", "2"],
    ["trace", "--limit", "2", "--tree", "--agent", "reporter", "--action", "s3:*"],
    ["trace", "--limit", "1", "--since", "2026-01-01", "--resource", BUCKET],
    ["trace", "--unmediated", "--limit", "1"],
    ["trace", "--score"],
    ["trace", "--by", "agent,action", "--limit", "1"],
    ["evidence", "verify"],
    ["evidence", "checkpoint"],
    ["asks"],
    ["doctor"],
]
_EVENT = re.compile(r'"event_id": "([0-9a-f]{32})"')


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample, read into a store that only `--store` names."""
    folder = tmp_path_factory.mktemp("a store's place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("ANSWERABLE_STORE", raising=False)
        patch.setenv("XDG_DATA_HOME", str(folder / "nothing here"))
        write_sample(Path(), NOW)
        for words in FIRST:
            assert main(["--quiet", "--store", "my store", *words]) == 0
        yield folder


def following(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command; the command that it says to try next."""
    code = main(words)
    shown = capsys.readouterr()
    assert code in (0, 1, 3), (words, shown.err)
    assert "error:" not in shown.err, (words, shown.err)
    found = [x for x in shown.err.splitlines() if x.startswith("next: ")]
    return found[0].removeprefix("next: ") if found else ""


def test_every_command_named_next_answers_and_keeps_the_store(estate, capsys):
    main(["--store", "my store", "trace", "--limit", "1", "-o", "json"])
    event = _EVENT.findall(capsys.readouterr().out)[0]
    proofs = [
        ["evidence", "prove", event],
        ["evidence", "bundle", event, "--out", "x.json"],
    ]
    waiting = [["--store", "my store", *words] for words in [*FIRST, *ASKED, *proofs]]
    done: set[tuple[str, ...]] = set()
    named = 0
    while waiting:
        words = waiting.pop()
        if tuple(words) in done or len(done) > 80:
            continue
        done.add(tuple(words))
        said = following(words, capsys)
        if said:
            named += 1
            program, *rest = shlex.split(said)
            assert program == "answerable"
            assert rest[-2:] == ["--store", "my store"]
            waiting.append(rest)
    assert named > 12


def test_more_rows_are_asked_for_with_the_filters_of_the_question(estate, capsys):
    asked = ["trace", "--agent", "reporter", "--action", "s3:*", "--resource", BUCKET]
    asked += ["--since", "2020-01-01", "--until", "2100-01-01", "--tree"]
    said = following(["--store", "my store", *asked, "--limit", "2"], capsys)
    assert said == (
        "answerable trace --agent reporter --action 's3:*' "
        f"--resource '{BUCKET}' --since 2020-01-01T00:00:00Z "
        "--until 2100-01-01T00:00:00Z --limit 20 --tree --store 'my store'"
    )


def test_an_error_names_the_store_in_its_hint(estate, capsys) -> None:
    assert main(["--store", "my store", "agents", "--kid", "x"]) == 2
    capsys.readouterr()
    assert main(["--store", "my store", "agents", "x"]) == 2
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint == "hint: answerable --store 'my store' agents --help"


REFUSED = [
    ["agents", "x"],
    ["agents", "--kid", "x"],
    ["agents", "--owner-state", "attestd"],
    ["who-owns", "nothing-alike"],
    ["show", "nothing-alike"],
    ["show", "arn:aws:s3:::example-customer-dat"],
    ["who-owns", "reporte"],
    ["reach"],
    ["reach", "nothing-alike"],
    ["reach", "reporter", "--action", "foo:*"],
    ["can", "reporter", "s3:GetObjct", BUCKET],
    ["can", "reporter", "s3:GetObject", "arn:aws:s4:::x"],
    ["can", "reporter", "s3:GetObject", BUCKET, "--assume", "scp"],
    ["can", "reporter", "s3:GetObject", BUCKET, "--context", "x"],
    ["who-can", "s3:GetObject", "nothing"],
    ["trace", "--agent", "nothing-alike"],
    ["trace", "--person", "nothing-alike"],
    ["trace", "--action", "s3:Nothing"],
    ["trace", "--by", "agnet"],
    ["trace", "--by", "agent", "--score"],
    ["trace", "--score", "--unmediated"],
    ["trace", "--since", "1d", "--until", "2d"],
    ["trace", "--since", "yesterday"],
    ["trace", "--resource", "s3://nothing/*", "-o", "json"],
    ["ingest", "cloudtrail:nowhere"],
    ["ingest", "cloudtral:trail"],
    ["scan", "homee:x"],
    ["scan", "home:nowhere"],
    ["decision", "019a2b3c"],
    ["evidence", "prove", "019a2b3c"],
    ["asks", "show", "019a2b3c"],
    ["baseline", "show", "reporter"],
    ["baseline", "learn", "nothing-alike"],
    ["baseline", "replay", "reporter"],
    ["requests", "show", "9f9f"],
    ["owner-keys", "revoke", "9f9f"],
    ["token-service", "rules"],
    ["token-service", "explain", "x"],
    ["tools", "approve", "warehouse"],
    ["gateway", "kill", "nothing-alike"],
    ["login", "--status"],
    ["sql", "select"],
    ["sql", "drop table x"],
]
# Not run here, for what they start or wait for: that they are commands is looked at.
LASTING = {"serve", "demo", "login", "run", "gateway"}
# Needs what a gateway records, and the sample has no such records.
UNRECORDED = {("baseline", "learn")}
_QUOTED = re.compile(r"`(answerable [^`]*)`")
_PLAIN = re.compile(r"(?:^|: )(answerable .*)$")


def complete(hint: str) -> Iterator[list[str]]:
    """Commands in a hint: what is a placeholder, or no longer a command, is left out."""
    quoted = _QUOTED.findall(hint)
    for text in quoted or _PLAIN.findall(hint):
        words = shlex.split(text)[1:]
        store = words[:2] if words[:1] == ["--store"] else []
        words = words[len(store) :]
        if any(re.fullmatch(r"[^a-z]*[A-Z]{2,}[^a-z]*|.*:[A-Z]+", w) for w in words):
            continue
        yield [*store, *(words if quoted else _command_of(words))]


def _command_of(words: list[str]) -> list[str]:
    """Take the command that a sentence begins with: `doctor says what works here`."""
    here: click.Command = app
    taken: list[str] = []
    for word in words:
        if isinstance(here, click.Group) and word in here.commands:
            here = here.commands[word]
        elif not word.startswith("-") and not _takes_words(here):
            break
        taken.append(word)
    return taken


def _takes_words(command: click.Command) -> bool:
    return any(isinstance(each, click.Argument) for each in command.params)


def test_every_complete_command_in_a_hint_answers(estate, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(estate / "home" / "ana"))
    ran: set[tuple[str, ...]] = set()
    hints = 0
    for words in REFUSED:
        main(["--store", "my store", *words])
        said = capsys.readouterr().err
        for hint in re.findall(r"(?m)^hint: (.*)$", said):
            hints += 1
            for command in complete(hint):
                ran.add(tuple(command))
    assert hints > len(REFUSED) // 2
    for command in sorted(ran):
        rest = command[2:] if command[:1] == ("--store",) else command
        apart = rest[0] in LASTING or rest[:2] in UNRECORDED
        asked = [*command, "--help"] if apart else [*command]
        code = main(asked)
        shown = capsys.readouterr()
        assert code in (0, 1, 3), (command, shown.err)
        assert "error:" not in shown.err, (command, shown.err)
    assert len(ran) > 5, ran


@pytest.mark.parametrize(
    ("hint", "commands"),
    [
        ("see `answerable agents`, `identities`", [["agents"]]),
        ("run `answerable doctor` to check this machine", [["doctor"]]),
        ("see: answerable evidence verify", [["evidence", "verify"]]),
        ("run: answerable ingest cloudtrail:PATH", []),
        ("start one: answerable serve --config FILE", []),
        ("answerable --store a agents --help", [["--store", "a", "agents", "--help"]]),
        ("answerable baseline learn reporter", [["baseline", "learn", "reporter"]]),
        ("sort orders: agents, tools", []),
    ],
)
def test_complete_commands_are_found_in_a_hint(hint, commands) -> None:
    assert list(complete(hint)) == commands


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("", "answerable attest x"),
        ("a", "answerable attest x --store a"),
        ("a@2026", "answerable attest x --store a"),
    ],
)
def test_a_snapshot_is_not_named_to_a_command_that_writes(store, said) -> None:
    assert add_store_option("answerable attest x", store) == said
    text = "run `answerable scan`, see answerable.yaml"
    assert ("--store" in add_store_to_text(text, store)) is bool(store)
