"""Law of erasure over small random stores: no value or unsalted hash remains."""

import base64
import hashlib
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import hypothesis.strategies as st
from hypothesis import given, settings

from answerable.evidence.proof_bundle import decode_bundle, encode_bundle, verify_bundle
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.store.event_gaps import read_event_gaps
from answerable.store.inclusion_proofs import build_inclusion_bundle
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.erase_person import erase_person
from answerable.usecases.evidence.log_proofs import verify_bundle_in_tiles, write_tiles
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_erasure import check, contents

NAMES = (
    "ada.lovelace@example.com",
    "Ada.Lovelace@Example.com",
    "ada lovelace",
    "José García",
)
OTHER = "bob@example.com"
DAY = 86_400 * 10**9


def list_hashes(name: str) -> Iterator[str]:
    """List the unsalted hashes of a name, whole and in lower case, hex and base64."""
    for value in dict.fromkeys((name, name.lower())):
        digest = hashlib.sha256(value.encode()).digest()
        yield digest.hex()
        yield base64.b64encode(digest).decode()
        yield base64.urlsafe_b64encode(digest).decode().rstrip("=")


FORMS = (
    "{}",
    "role/{}",
    "mail to {}.",
    "UPPER",
    "PERCENT",
    "HASH0",
    "HASH1",
    "HASH2",
    "sha256:HASH0",
    "https://example.com/?to=mailto%3APERCENT%26cc=x",
    "https://example.com/?next=%252FTWICE",
    "?name=PLUS&x",
    'body {\\"of\\":\\"JSON\\"}',
    "ACCENTS",
    "ALLPERCENT",
    "ALLJSON",
)


def write_form(form: str, name: str) -> str:
    """Write a name in one of the forms."""
    hashes = list(list_hashes(name))
    for number in range(3):
        form = form.replace(f"HASH{number}", hashes[number - 3])
    percent = quote(name, safe="")
    spellings = {
        "ALLPERCENT": "".join(f"%{byte:02x}" for byte in name.encode()),
        "ALLJSON": "".join(map(escape, name)),
        "PERCENT": percent,
        "TWICE": quote(percent, safe=""),
        "PLUS": quote_plus(name),
        "JSON": "".join(c if c.isascii() and c.isalnum() else escape(c) for c in name),
        "ACCENTS": unicodedata.normalize("NFD", name),
        "UPPER": name.upper(),
    }
    for word, spelled in spellings.items():
        form = form.replace(word, spelled)
    return form.replace("{}", name)


def lower(data: bytes) -> bytes:
    return (
        data.decode("utf-8", "surrogateescape").lower().encode(errors="surrogateescape")
    )


def escape(sign: str) -> str:
    return f"\\\\u{ord(sign):04x}"


def place(column: str, text: str) -> dict[str, Any]:
    """Put a text into a column of an event."""
    if column == "facts":
        return {"facts": (("note", text),)}
    if column in ("resources", "entities"):
        return {column: ("a", text)}
    return {column: text}


MENTIONS = st.tuples(
    st.booleans(),  # of the person, or of another
    st.sampled_from(("person", "identity", "resource", "facts", "resources")),
    st.sampled_from(FORMS),
)


@settings(max_examples=15)
@given(
    st.sampled_from(NAMES),
    st.lists(MENTIONS, min_size=2, max_size=8),
    st.lists(st.tuples(st.booleans(), st.sampled_from(FORMS)), max_size=3),
)
def test_nothing_of_a_person_remains_and_every_other_proof_holds(
    name: str, mentions: list[tuple[bool, str, str]], objects: list[tuple[bool, str]]
) -> None:
    root = Path(tempfile.mkdtemp(prefix="answerable-erasure-"))
    try:
        hold_law(root, name, mentions, objects)
    finally:
        shutil.rmtree(root)


def hold_law(
    root: Path,
    name: str,
    mentions: list[tuple[bool, str, str]],
    objects: list[tuple[bool, str]],
) -> None:
    """Write a store, erase the person, and search every file."""
    gone: list[AuditEvent] = []
    kept = [event(900, person=f"person:{OTHER}")]
    for number, (is_person, column, form) in enumerate(mentions):
        text = write_form(form, name if is_person else OTHER)
        made = event(
            number, event_time=NOW - number % 2 * DAY + number, **place(column, text)
        )
        (gone if is_person else kept).append(made)
    with EvidenceStore.open(root, now=NOW) as store:
        store.append([*gone, *kept], NOW)
        for number, (is_person, form) in enumerate(objects):
            text = write_form(form, name if is_person else OTHER)
            raw = f'{{"of":"{text}"}}'.encode()
            store.put_object("baseline-test", raw, NOW)
            store.quarantine([QuarantinedRecord("a", number, "why", raw)], NOW)
        store.seal(NOW)
        store.run_query("SELECT count(*) FROM events")
        before = [
            encode_bundle(build_inclusion_bundle(store, [each.event_id]))
            for each in (*gone, *kept)
        ]
        answer = erase_person(store, [name], "asked", now=NOW)
        assert not answer.failed, answer.items
        check(store)
        rows = store.run_query("SELECT event_id FROM events")
        assert {row[0] for row in rows} == {each.event_id for each in kept}
        for each in kept:
            bundle = build_inclusion_bundle(store, [each.event_id])
            assert verify_bundle(bundle, store.keys.public_key).events
        for data in before:
            assert verify_bundle(decode_bundle(data), store.keys.public_key).events
        removed = read_event_gaps(store).removed
        assert all("erased by policy" in line for line in removed)
        assert bool(removed) == bool(gone)
        write_tiles(store, root / "tiles")
        says = [
            verify_bundle_in_tiles(data, root / "tiles", str(store.keys.public_key))
            for data in before
        ]
        assert not any(each.failed for each in says)
        assert not gone or any(
            "erased by policy" in str(item["detail"]) for item in says[0].items
        )
    words = ("{}", "PERCENT", "TWICE", "PLUS", "JSON", "ACCENTS")
    words += ("ALLPERCENT", "ALLJSON")
    values = [write_form(each, name).lower().encode() for each in words]
    hashes = [each.encode() for each in list_hashes(name)]
    digests = [
        hashlib.sha256(value.encode()).digest() for value in (name, name.lower())
    ]
    for data in contents(root):
        assert not any(value in lower(data) for value in values)
        assert not any(each in data or each.lower() in data.lower() for each in hashes)
        assert not any(each in data for each in digests)
