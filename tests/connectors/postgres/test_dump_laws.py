"""Law of a dump: text that a database user can write grants nothing."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.postgres.parse import ServerName, parse

DUMP = """\
CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE readers; CREATE SCHEMA s;
ALTER SCHEMA s OWNER TO alice; GRANT USAGE ON SCHEMA s TO readers;
"""
CLAIMS = st.sampled_from(
    [
        "GRANT readers TO bob;",
        "GRANT ALL ON SCHEMA s TO bob;",
        "ALTER ROLE bob SUPERUSER;",
        "'; ALTER ROLE bob SUPERUSER; --",
        "*/ GRANT readers TO bob; /*",
        "\\connect other",
        "\\.",
        "$$ GRANT readers TO bob; $$",
        "REVOKE ALL ON SCHEMA s FROM alice;",
        "\n",
    ]
)
TEXTS = st.lists(CLAIMS | st.text(max_size=12), max_size=4).map("".join)


def facts(texts: list[str]) -> object:
    """Read the permissions of a server from the texts of its dump."""
    files = [(f"{n}.sql", text.encode()) for n, text in enumerate(texts)]
    parsed = parse(files, ServerName("h", "shop", "x"), source="pg:x", now=1)
    assert parsed.problems == ()
    return without_places(msgspec.json.decode(parsed.facts.catalogues[0].body))


def without_places(value: object) -> object:
    """Drop line numbers, which a text with line ends moves."""
    if isinstance(value, dict):
        return {k: without_places(each) for k, each in value.items() if k != "place"}
    if isinstance(value, list):
        return [without_places(each) for each in value]
    return value


def write_dump_with(text: str) -> str:
    """Write statements of pg_dump with a text as comment, literal, body and row."""
    quoted = text.replace("'", "''")
    tag = next(f"${tag}$" for tag in ("", "a", "b", "c") if f"${tag}$" not in text)
    # A row of COPY escapes backslashes and line ends (PostgreSQL, COPY, text format).
    row = "".join({"\\": "\\\\", "\n": "\\n", "\r": "\\r"}.get(c, c) for c in text)
    return (
        f"COMMENT ON ROLE bob IS '{quoted}';\n"
        f"COMMENT ON SCHEMA s IS '{quoted}';\n"
        f"CREATE FUNCTION s.written() RETURNS void LANGUAGE plpgsql AS {tag}{text}{tag};\n"
        f"CREATE TABLE s.written (note text DEFAULT '{quoted}');\n"
        f"COPY s.written (note) FROM stdin;\n{row}\n\\.\n"
    )


PLAIN = facts([DUMP, write_dump_with("note")])


@given(TEXTS.filter(lambda text: "\x00" not in text))
def test_written_text_grants_nothing(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return  # no dump holds it
    assert facts([DUMP, write_dump_with(text)]) == PLAIN
