"""Mentions of a person: the search of files and the SQL condition find the same."""

import json
from collections.abc import Iterator

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from answerable.store.letter_escapes import build_decoded_sql, decode_letters
from answerable.store.mention_search import MentionSearch
from answerable.store.row_conditions import build_mention_condition

ANA = "ana.b@corp.example"
NAMES = (ANA, "Ana.B@Corp.Example", "ana lovelace", "José García", "CORP\\ana", "Ünal")


def find(text: str, name: str = ANA) -> bool:
    """Return whether a text mentions a name; both engines must agree."""
    found = MentionSearch([name]).in_text(text)
    assert MentionSearch([name]).in_bytes(text.encode()) == found
    condition = build_mention_condition("t.x", [name])
    rows = duckdb.execute(
        f"SELECT {condition.sql} FROM (SELECT ? AS x) t",  # noqa: S608 - ours
        [*condition.parameters, text],
    ).fetchall()
    assert rows == [(found,)]
    return found


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def escape(text: str) -> str:
    return "".join(
        f"\\u{ord(sign):04x}" if ord(sign) < 65536 else json.dumps(sign)[1:-1]
        for sign in text
    )


@pytest.mark.parametrize(
    "text",
    [
        ANA,
        percent(ANA),
        percent(percent(ANA)),
        percent(ANA).upper(),
        escape(ANA),
        escape(ANA).replace("\\", "\\\\"),
        escape(ANA).replace("\\", "%5c"),
        percent(escape(ANA)),
        "%61na.b@corp.example",
        "%41na.b@corp.example",
        "\\u0061na.b@corp.example",
        "ana.b@corp.exampl%65",
        "ana.b@" + escape("corp.example"),
        "ana.b\\u002540corp.example",
        "u:\\n\\u0061na.b@corp.example",
        "F/" + escape("/") + escape(ANA),
        "a+ana.b@corp.example+b",
        "q=ana.b+ana.b%40corp.example",
        "q=x+ana.b@corp.example&r=1",
        "https://search.example/?q=mail+of+ana.b@corp.example",
    ],
)
def test_an_encoded_name_is_a_mention(text: str) -> None:
    assert find(text)
    assert find(f"s3://bucket/{text}/z")


@pytest.mark.parametrize(
    "text",
    [
        "nana.b@corp.example",
        "n%61na.b@corp.example",
        "%6eana.b@corp.example",
        percent("n" + ANA),
        percent(percent("n" + ANA)),
        escape("n" + ANA),
        escape("n" + ANA).replace("\\", "\\\\"),
        escape("n" + ANA).replace("\\", "\\\\\\\\"),
        percent(escape("n" + ANA)),
        "x_ana.b@corp.example",
        "x%5Fana.b@corp.example",  # a longer name, as with `_`
        "a+ana.b@corp.example",  # mailbox `a`
        "user=a%2Bana.b%40corp.example",
        "ana.b@corp.example.org",
        "ana.b%corp.example",
    ],
)
def test_a_longer_name_is_no_mention(text: str) -> None:
    assert not find(text)
    assert not find(f"s3://bucket/{text}/z")


def list_encodings(sign: str) -> Iterator[str]:
    """List the spellings of one sign of a name."""
    yield percent(sign)
    yield percent(percent(sign))
    yield escape(sign)
    yield escape(sign).replace("\\", "\\\\")
    yield sign


@st.composite
def spell(draw: st.DrawFn, name: str) -> str:
    """Spell each sign of a name in some way."""
    return "".join(draw(st.sampled_from([*list_encodings(sign)])) for sign in name)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(NAMES), st.sampled_from(["", "/", '{"u":"', "%2F"]))
def test_each_sign_may_be_encoded_in_its_own_way(
    data: st.DataObject, name: str, before: str
) -> None:
    spelled = data.draw(spell(name))
    assert find(before + spelled, name)
    assert find(f"{before}{spelled}{data.draw(spell('/'))}z", name)
    longer = data.draw(spell("n"))
    if not spelled.startswith("\\"):  # which may be a sign of its own
        assert not find(before + longer + spelled, name)
    assert not find(before + spelled + "x", name)


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(
            ["%", "25", "5C", "5c", "\\", "u00", "61", "4", "0", "é", "%C3"]
        )
    ).map("".join)
)
def test_sql_decodes_as_the_search_of_files_does(text: str) -> None:
    for keeps in (False, True):
        sql = f"SELECT {build_decoded_sql('?', keeps_backslash=keeps)}"
        decoded = decode_letters(text, keeps_backslash=keeps)
        assert duckdb.execute(sql, [text]).fetchall() == [(decoded,)]


@pytest.mark.parametrize(
    "text",
    [
        r"CORP\\\u0061na",  # JSON in JSON: two backslashes, then an escaped letter
        r"CORP\\u0061na",  # the name, its second part as JSON has it
        r"CORP%5C\u0061na",
        r"CORP%255C%255Cu0061na",
        r"CORP\\\\\u0061na",
        r"CORP%5c\u0061%6e\\u0061",
    ],
)
def test_a_letter_after_the_backslash_of_a_name_may_be_escaped(text: str) -> None:
    name = "CORP\\ana"
    assert find(text, name)
    assert find(f'{{"u":"{text}"}}', name)
    assert not find(text + "x", name)


def test_a_private_character_does_not_hide_a_name() -> None:
    assert find(f"\ue000{ANA}\ue000")
