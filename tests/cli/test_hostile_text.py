"""Whatever a file is named and holds, the terminal is left alone."""

import ast
import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answerable.presentation.text import quote, sanitize

NASTY = "x\x1b[2J\x1b]0;owned\x07\u202eevil\u2066\x9b31m\r\nerror: fake\u2028\ud83d"
LISTS = ("agents", "tools", "identities", "credentials", "people", "where")


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    (home / ".claude" / "agents").mkdir(parents=True)
    servers = {
        NASTY: {"command": NASTY, "args": [NASTY], "env": {NASTY: NASTY}},
        "calm": {"url": f"https://{NASTY}.example/", "headers": {NASTY: NASTY}},
    }
    config = json.dumps({"mcpServers": servers})
    (home / ".cursor" / "mcp.json").write_text(config)
    (home / ".claude.json").write_text(
        json.dumps({"projects": {NASTY: {"mcpServers": servers}}})
    )
    named = os.fsencode(home / ".claude" / "agents") + b"/\x1b[2J\xff\n.md"
    with open(named, "wb") as agent:
        agent.write(f"---\nname: {NASTY!r}\n---\n".encode())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def test_no_name_moves_the_cursor_or_starts_a_line(run, estate: Path) -> None:
    scanned = run("scan", "home:~")
    assert scanned.code in (0, 3), scanned.err
    for words in ((name,) for name in LISTS):
        for form in ("table", "json", "ndjson", "csv"):
            ran = run(*words, "-o", form)
            assert ran.code in (0, 3), ran.err
            for line in (ran.out + ran.err).split("\n"):
                assert line == sanitize(line)
                assert not line.startswith("error: fake")
            if form == "json":
                json.loads(ran.out)


@pytest.mark.parametrize(
    "words",
    [
        ("who-owns", NASTY),
        ("show", NASTY),
        ("reach", NASTY),
        ("can", NASTY, NASTY, NASTY),
        ("who-can", NASTY, NASTY),
        ("trace", "--person", NASTY),
        ("trace", "--resource", NASTY),
        ("sql", NASTY),
        ("scan", NASTY),
        ("scan", f"aws:{NASTY}"),
        ("ingest", f"cloudtrail:{NASTY}"),
        ("evidence", "prove", NASTY),
        ("agents", "--kind", NASTY),
        (NASTY,),
        (f"--{NASTY}",),
    ],
    ids=lambda words: " ".join(words).replace(NASTY, "NASTY"),
)
def test_a_hostile_word_is_refused_in_two_lines(run, estate: Path, words) -> None:
    ran = run(*words)
    assert ran.code in (0, 2), ran.err
    if ran.code:
        assert len(ran.err.splitlines()) <= 2
        assert ran.err.startswith("error: ")
    for line in (ran.out + ran.err).split("\n"):
        assert line == sanitize(line)


@given(st.text(st.characters(codec=None) | st.sampled_from('"\\\u201d\uff02 xn0')))
@example(NASTY)
def test_nothing_in_a_quoted_text_ends_it_or_looks_like_its_end(text: str) -> None:
    said = quote(text)
    assert ast.literal_eval(said) == text  # so no two texts are quoted alike
    assert said == sanitize(said)
    assert all(letter.isascii() or letter.isalnum() for letter in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read", '"read"'),
        ("Zürich 東京", '"Zürich 東京"'),
        ('x" at "y', r'"x\" at \"y"'),
        ("C:\\x", r'"C:\\x"'),
        ("x\u201d at \u201cy", r'"x\u201d at \u201cy"'),
        ("x\u02ba\u00a0y", r'"x\u02ba\xa0y"'),
        ("", '""'),
    ],
)
def test_a_quoted_text_is_readable(text: str, said: str) -> None:
    assert quote(text) == said
