"""Law: nothing that an agent says of itself changes what may be signed about it, or by whom.

An act is the agent, the server, the kind of thing, its name and the digest of the
arguments, as a mediator recorded them. Whatever else stands in a record, and whatever
records of its own an agent adds, the statement stays byte for byte what it was.
"""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.evidence import signed_statements
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.model.provenance import WrittenBy
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.usecases.evidence.remote_signing import prepare_statement
from answerable.web.store_cache import StoreCache
from tests.usecases.owned_store import AGENT, HOUR, OTHER, A, B
from tests.web.signing.owner_store import LATER, record_held_call

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "session": TEXT,
        "source_ip": TEXT,
        "entities": st.lists(TEXT, max_size=3).map(tuple),
        "run": TEXT,
        "person": st.sampled_from(
            ["", "person:ben@corp.example", "person:eve@x.example"]
        ),
        "credential": TEXT,
        "identity": TEXT,
    },
)
FACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["self:agent", "self:owner", "self:server", "shown", "session"]
        ),
        TEXT,
    ),
    max_size=4,
)


def statement(desk: StoreCache, *events: AuditEvent) -> bytes:
    with desk.open_store() as store:
        said = prepare_statement(
            lambda who: answer_approval_requests.sign_exception(
                store,
                SpooledDecisions(events),
                events[0].decision_id,
                who,
                ExceptionTerm(HOUR),
                now=LATER,
            ),
            A.id,
        )
    return signed_statements.encode_payload(said)


def by_another(desk: StoreCache, *events: AuditEvent) -> str:
    with desk.open_store() as store:
        try:
            prepare_statement(
                lambda who: answer_approval_requests.sign_exception(
                    *(
                        store,
                        SpooledDecisions(events),
                        events[0].decision_id,
                        who,
                        ExceptionTerm(HOUR),
                    ),
                    now=LATER,
                ),
                B.id,
            )
        except VerificationError as error:
            return error.message
    raise AssertionError("somebody else may sign")


def test_what_an_agent_says_of_itself_changes_no_statement(desk: StoreCache) -> None:
    record_held_call(desk)
    (event,) = decision_records.read_spool(desk.spools).events
    plain, refusal = statement(desk, event), by_another(desk, event)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(SAID, FACTS, st.lists(SAID, max_size=2))
    def law(
        said: dict[str, object],
        facts: list[tuple[str, str]],
        added: list[dict[str, object]],
    ) -> None:
        known = dict(event.facts)
        more = tuple((name, text) for name, text in facts if name not in known)
        varied = replace(event, facts=event.facts + more, **said)  # type: ignore[arg-type]  # by name
        own = [
            replace(
                event,
                agent=OTHER if number else AGENT,
                written_by=WrittenBy.SELF_REPORTED,
                decision_id=f"{number + 1:032x}",
                event_id=replace(event).event_id[:-1] + bytes([number]),
                event_time=event.event_time + number,
                **each,  # type: ignore[arg-type]  # by name
            )
            for number, each in enumerate(added)
        ]
        assert statement(desk, varied, *own) == plain
        assert by_another(desk, varied, *own) == refusal

    law()


def test_the_law_can_fail(desk: StoreCache) -> None:
    record_held_call(desk)
    (event,) = decision_records.read_spool(desk.spools).events
    other = replace(event, tool=f"{event.tool}2", resource=f"{event.resource}2")
    assert statement(desk, event) != statement(desk, other)
    theirs = replace(event, agent=AgentId(OTHER))
    try:
        statement(desk, theirs)
    except VerificationError:
        return
    raise AssertionError("an agent of somebody else's is signed for")
