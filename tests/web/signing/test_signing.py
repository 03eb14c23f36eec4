"""What owners sign on pages: shown whole, signed elsewhere, recorded by the same flow."""

import json
import os
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.model.config import UnixCallerRule
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.attested_owners import read_attestations
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.policy_exceptions import AMENDMENT
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import enroll_remote_key
from answerable.web.http.errors import convert_use_case_error
from answerable.web.http.responses import error_response
from answerable.web.pages import owner_keys as keys_page
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    Redirect,
    RouteRequest,
    StateConflict,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.authorization.config_strategies import agent as declared_agent
from tests.authorization.config_strategies import config
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER, A, B, signer
from tests.web.conftest import answer, shown
from tests.web.markup_checks import HOSTILE, markup_faults
from tests.web.signing.owner_store import (
    ADMIN,
    INVESTIGATOR,
    LATER,
    OWNER,
    owner,
    record_held_call,
)


def drafts(desk: StoreCache, visit: Visitor, **said: str) -> dict[str, str]:
    """Give what a page has its browser sign, by key."""
    page = answer(desk, visit, "/sign", **said)
    assert isinstance(page, PageAnswer)
    return {each.key: each.payload for each in page.values["drafts"]}  # type: ignore[attr-defined]  # of a test


def envelope(payload: str, key: LocalSigner = A) -> str:
    """Sign as a browser does: it has the bytes, and knows nothing else."""
    said = dsse.pre_authentication_encoding(
        signed_statements.PAYLOAD_TYPE, b64decode(payload)
    )
    sig = dsse.sign_envelope(
        signed_statements.PAYLOAD_TYPE, b64decode(payload), key.id, key.seed
    )
    assert said
    return json.dumps(
        {
            "payload": payload,
            "payloadType": signed_statements.PAYLOAD_TYPE,
            "signatures": [
                {
                    "keyid": key.id,
                    "sig": b64encode(sig.signatures[0].sig).decode(),
                }
            ],
        }
    )


def signed(
    desk: StoreCache, visit: Visitor = OWNER, key: LocalSigner = A, **said: str
) -> Redirect:
    payload = drafts(desk, visit, **said)[key.id]
    moved = answer(
        desk, visit, "/sign", "POST", **said, envelope=envelope(payload, key)
    )
    assert isinstance(moved, Redirect)
    return moved


def state(desk: StoreCache, decision: str) -> object:
    page = answer(desk, OWNER, "/ask", id=decision)
    assert isinstance(page, PageAnswer)
    return page.values["ask"]["state"]  # type: ignore[index]  # of a test


def test_an_owner_lets_an_agent_do_what_it_asked_for(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    assert state(desk, decision) == "open"
    said = {"act": "allow", "id": decision, "for": "8h"}
    page = shown(desk, OWNER, "/sign", **said)
    # All of what is signed is there to be read before it is.
    for told in (AGENT, "read_file", "files", ANA, A.id, "amendment"):
        assert told in page
    drawn = page.partition('aria-label="Consequence">')[2].partition("</section>")[0]
    assert 'class="node added"' in drawn  # as a chain, and as a table
    assert drawn.index(">not allowed</td>") < drawn.index(
        ">allowed without arguments. It ends after 8h.</td>"
    )
    # Of a name that an agent has written nothing passes for the sentence.
    assert f"{AGENT} to do this: tool &#34;read_file&#34; at &#34;files&#34;<" in page
    moved = signed(desk, **said)
    assert (moved.location, state(desk, decision)) == (f"/ask?id={decision}", "allowed")


def test_an_owner_refuses_and_takes_back(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    signed(desk, act="refuse", id=decision)
    assert state(desk, decision) == "refused"
    for said, told in (
        (decision, "refused"),
        ("No approval request of the last 7 days", "open"),
    ):
        page = shown(desk, OWNER, "/asks", state=told)
        assert said in page
        assert "No approval request that you may see is open" not in page
    signed(desk, act="allow", id=decision, arguments="any", **{"for": "always"})
    with desk.open_store() as store:
        name = _amendment(store)
    page = shown(desk, OWNER, "/asks")
    assert name in page
    assert "always" not in page
    signed(desk, act="take-back", id=name)
    assert state(desk, decision) != "allowed"
    with pytest.raises(VerificationError, match="already recorded"):
        signed(desk, act="take-back", id=name)


def test_an_allowed_request_is_revoked_and_never_refused(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    said = {"act": "refuse", "id": decision}
    refusal = drafts(desk, OWNER, **said)[A.id]  # in a second tab
    signed(desk, act="allow", id=decision)
    with desk.open_store() as store:
        link = f"/sign?act=take-back&id={_amendment(store)}"
        before = len(store.log.entries())
    page = shown(desk, OWNER, "/ask", id=decision)
    assert link.replace("&", "&amp;") in page
    assert "stays denied" not in page
    assert "act=refuse" not in page
    for method, more in (("GET", {}), ("POST", {"envelope": envelope(refusal)})):
        with pytest.raises(StateConflict, match="allowed meanwhile") as found:
            answer(desk, OWNER, "/sign", method, **said, **more)
        assert found.value.link == link
        refused = convert_use_case_error(found.value)
        body = error_response(refused, OWNER, RouteRequest(), "/sign").body
        assert f'<a href="{link}">'.replace("&", "&amp;").encode() in bytes(body)
    with desk.open_store() as store:
        assert len(store.log.entries()) == before
    assert state(desk, decision) == "allowed"


def _amendment(store: EvidenceStore) -> str:
    kept = store.list_objects(AMENDMENT)[-1]
    return signed_statements.hash_signed_payload(
        dsse.decode_envelope(store.get_object(kept.digest))
    )


def test_showing_records_nothing(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    with desk.open_store() as store:
        before = len(store.log.entries())
        shown(desk, OWNER, "/sign", act="allow", id=decision)
        assert len(store.log.entries()) == before


def test_what_is_not_theirs_is_told_to_nobody(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    for visit in (owner(BEN, OTHER), owner(ANA), INVESTIGATOR, ADMIN):
        for act in ("allow", "refuse"):
            with pytest.raises(Forbidden):
                answer(desk, visit, "/sign", act=act, id=decision)
            with pytest.raises(Forbidden):
                answer(
                    desk, visit, "/sign", "POST", act=act, id=decision, envelope="{}"
                )
    for visit in (owner(BEN, OTHER), owner(ANA)):
        with pytest.raises(Forbidden):
            answer(desk, visit, "/ask", id=decision)
        assert decision not in shown(desk, visit, "/asks")
        assert decision not in shown(desk, visit, "/decisions")
    for visit in (INVESTIGATOR, ADMIN, OWNER):
        assert decision in shown(desk, visit, "/asks")
        assert decision in shown(desk, visit, "/decisions")
    # Of a part of an id one could try them all.
    for part in (decision[:6], decision[:31], "", "0" * 32):
        with pytest.raises(Forbidden):
            answer(desk, OWNER, "/sign", act="allow", id=part)


def test_a_key_of_somebody_else_signs_nothing_in_ones_own_session(
    desk: StoreCache,
) -> None:
    decision = record_held_call(desk)
    said = {"act": "allow", "id": decision}
    payload = drafts(desk, OWNER, **said)[A.id]
    ben = owner(BEN, AGENT)  # a session that says more than the log does
    with pytest.raises(VerificationError, match="expected the attested owner"):
        drafts(desk, ben, **said)
    for visit, text in ((ben, envelope(payload)), (OWNER, envelope(payload, B))):
        with pytest.raises(VerificationError):
            answer(desk, visit, "/sign", "POST", **said, envelope=text)
    with desk.open_store() as store:
        assert store.list_objects(AMENDMENT) == ()


def test_nothing_but_what_was_shown_is_taken(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    said = {"act": "allow", "id": decision}
    payload = drafts(desk, OWNER, **said)[A.id]
    other = {**said, "for": "30d"}
    with pytest.raises(VerificationError, match="until differ"):
        answer(desk, OWNER, "/sign", "POST", **other, envelope=envelope(payload))
    whole = b64decode(payload).replace(b"read_file", b"drop_file")
    with pytest.raises(VerificationError, match="name differ"):
        answer(
            *(desk, OWNER, "/sign", "POST"),
            **said,
            envelope=envelope(b64encode(whole).decode()),
        )
    for text in ("", "{}", "[1]", "x" * 10_000):
        with pytest.raises(VerificationError):
            answer(desk, OWNER, "/sign", "POST", **said, envelope=text)


def test_who_has_no_key_here_is_told_the_command(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    with desk.open_store() as store:
        key_enrolment.revoke_owner_key(store, A.id, since=None, uid=1, now=desk.now)
    page = shown(desk, OWNER, "/sign", act="allow", id=decision)
    assert "data-signing" not in page
    assert f"answerable asks allow {decision} --key KEY --for 1h" in page


def test_one_answers_again_for_ones_own_and_for_what_nobody_answers_for(
    desk: StoreCache,
) -> None:
    third = "agent:declared/three"
    for agent in (AGENT, third):
        moved = signed(desk, act="attest", id=agent)
        assert agent.rpartition("/")[2] in moved.location
    with desk.open_store() as store:
        found = read_attestations(store)
    assert [e.subject for e in found if e.seen.at == LATER] == [AGENT, third]
    for subject in (OTHER, "agent:nobody/knows"):  # Ben's, and nobody's
        with pytest.raises(Forbidden):
            answer(desk, OWNER, "/sign", act="attest", id=subject)


def test_words_that_are_none_are_refused(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    for said in (
        {"act": "burn"},
        {"act": "allow", "for": "2 years"},
        {"act": "allow", "arguments": "all"},
    ):
        with pytest.raises(UsageError):
            answer(desk, OWNER, "/sign", id=decision, **said)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_text_on_every_page(desk: StoreCache, name: str) -> None:
    decision = record_held_call(desk, name[:2000])
    visit = replace(OWNER, roles=frozenset({WebRole.OWNER, WebRole.ADMIN}))
    for path, said in (
        ("/decisions", {}),
        ("/decisions", {"agent": name}),
        ("/asks", {"agent": name}),
        ("/asks", {}),
        ("/ask", {"id": decision}),
        ("/sign", {"act": "allow", "id": decision}),
    ):
        assert markup_faults(shown(desk, visit, path, **said)) == []


# Keys.


def proof(desk: StoreCache, key: LocalSigner, person: PersonId = ANA) -> str:
    with desk.open_store() as store:
        said = enroll_remote_key.build_possession_payload(store, key.public, person)
    signatures = dsse.sign_envelope(
        enroll_remote_key.POSSESSION, said, key.id, key.seed
    ).signatures
    return b64encode(signatures[0].sig).decode()


def enrol(
    desk: StoreCache, visit: Visitor, key: LocalSigner, person: PersonId = ANA
) -> None:
    public = b64encode(key.public).decode()
    shown = proof(desk, key, person)
    answer(desk, visit, "/keys", "POST", public=public, proof=shown)


def test_a_browsers_key_is_enrolled_for_who_signed_in_just_now(
    desk: StoreCache,
) -> None:
    key = signer("n")
    with pytest.raises(UsageError, match="within minutes"):
        enrol(desk, owner(ANA, AGENT, fresh=False), key)
    with pytest.raises(VerificationError):
        enrol(desk, OWNER, key, BEN)  # made for somebody else's name
    with pytest.raises(Forbidden):
        enrol(desk, ADMIN, key)  # nobody by name
    enrol(desk, OWNER, key)
    with desk.open_store() as store:
        known = owner_keys.read_owner_keys(store)[key.id]
    assert known.person == ANA
    assert known.enrolled[0][1].by == f"corp for {ANA}"
    decision = record_held_call(desk)
    signed(desk, OWNER, key, act="allow", id=decision)
    assert state(desk, decision) == "allowed"


def test_keys_are_listed_to_their_persons_and_to_who_looks_after_them(
    desk: StoreCache,
) -> None:
    assert B.id not in shown(desk, OWNER, "/keys")
    assert A.id in shown(desk, OWNER, "/keys")
    for visit in (ADMIN, INVESTIGATOR):
        page = shown(desk, visit, "/keys")
        assert A.id in page
        assert B.id in page


def test_a_key_is_revoked_by_its_person_or_an_administrator(desk: StoreCache) -> None:
    with pytest.raises(Forbidden):
        answer(desk, OWNER, "/keys/revoke", "POST", key=B.id)
    for name in ("", "owner-key:x", A.id[:-1]):
        with pytest.raises(Forbidden):
            answer(desk, ADMIN, "/keys/revoke", "POST", key=name)
    answer(desk, OWNER, "/keys/revoke", "POST", key=A.id)
    answer(desk, ADMIN, "/keys/revoke", "POST", key=B.id)
    with desk.open_store() as store:
        for key in owner_keys.read_owner_keys(store).values():
            assert owner_keys.get_owner_key_state(key, desk.now) == "revoked"


def test_a_key_is_not_revoked_by_one_press(desk: StoreCache) -> None:
    page = shown(desk, ADMIN, "/keys")
    before = page[: page.index('action="/keys/revoke"')]
    assert before.rindex("<details>") > before.rfind("</details>")
    assert "A revocation is final.</p>" in page


def test_an_administrator_enrols_what_a_person_handed_over(desk: StoreCache) -> None:
    key = signer("h")
    pem = "-----BEGIN PUBLIC KEY-----\r\n{}\r\n-----END PUBLIC KEY-----\r\n"
    body = b64encode(keys_page._SPKI_PREFIX + key.public).decode()
    said = {"person": "ana@corp.example", "public": pem.format(body)}
    with pytest.raises(UsageError):
        answer(desk, replace(ADMIN, fresh=False), "/keys/enroll", "POST", **said)
    answer(desk, ADMIN, "/keys/enroll", "POST", **said)
    with desk.open_store() as store:
        found = owner_keys.read_owner_keys(store)[key.id]
    assert found.enrolled[0][1].by.startswith("administrator without a name")
    for public in ("", "AAAA", "not base64", b64encode(bytes(33)).decode()):
        with pytest.raises(UsageError):
            answer(
                *(desk, ADMIN, "/keys/enroll", "POST"),
                person="ana@corp.example",
                public=public,
            )


def test_what_runs_as_the_user_of_the_page_is_said_to_be_advice(
    desk: StoreCache,
) -> None:
    decision = record_held_call(desk)
    said = {"act": "allow", "id": decision}
    unknown = "whether agent:declared/one runs as the user of this page"
    page = shown(desk, OWNER, "/sign", **said)
    assert "advisory" not in page
    assert unknown in page
    uid = os.getuid()
    declared = replace(
        declared_agent("one"), callers=(UnixCallerRule(uid + 1, None, ""),)
    )
    desk.config = config(declared)
    page = shown(desk, OWNER, "/sign", **said)
    assert "advisory" not in page
    assert unknown not in page
    declared = replace(declared_agent("one"), callers=(UnixCallerRule(uid, None, ""),))
    desk.config = config(declared)
    for path, asked in (
        ("/sign", said),
        ("/ask", {"id": decision}),
        ("/baseline", {"agent": AGENT}),
    ):
        assert f"uid {uid}" in shown(desk, OWNER, path, **asked)
