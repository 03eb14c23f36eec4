"""Each `next:` names a command that answers, with the store and filters of its question."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample.write import write_estate
from answerable.flows.hints import in_store, text_in_store

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
        write_estate(Path(), NOW)
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


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("", "answerable attest x"),
        ("a", "answerable attest x --store a"),
        ("a@2026", "answerable attest x --store a"),
    ],
)
def test_a_snapshot_is_not_named_to_a_command_that_writes(store, said) -> None:
    assert in_store("answerable attest x", store) == said
    text = "run `answerable scan`, see answerable.yaml"
    assert ("--store" in text_in_store(text, store)) is bool(store)
