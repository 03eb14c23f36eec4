"""What the law of a removed source asks each page, and the sentences that are a no."""

from answerable.web.pages.reach.question import REMOVED_FIELDS
from tests.estate.gateway_activity import TITLE
from tests.estate.removal_questions import (
    APP,
    DEVELOPER,
    GONE,
    KEY,
    LEDGER_CALL,
    ORDERS,
    PAGES,
    REPORTER,
    SHOWN,
    STATEMENT,
    SUPPORT,
    USER,
)
from tests.estate.sample_stores import DATA, ELSEWHERE, ROLE

Question = tuple[str, dict[str, str]]
# What a gateway records is a source as any scan.
GATEWAY = "gateway"
_READER_ROLE = f"{ROLE}/data-reader"
# Pages that need an id or a question.
_ASKED_ABOUT = frozenset(
    ("/agent", "/identity", "/credential", "/person", "/show", "/event", "/finding")
)
_ASKED_ABOUT |= {"/can", "/who-can", "/what-if", "/what-if/cuts", "/kill", "/search"}
_ASKED_ABOUT |= {"/baseline", "/baseline/replay", "/decision", "/ask", "/sign"}
_ASKED_ABOUT |= {"/case", "/case/page", "/proof"}
# Sentences of pages that are a no.
DENIALS: tuple[str, ...] = (
    *("cannot", "No collected identity can", "No collected permission"),
    *("Nothing changes", "is removed</td>", "No collected source grants it"),
    *("never</span>", "No path in the collected data", "No set of statements"),
    *("No identity of the collected accounts", "No finding is open.", "No change"),
    *("No event matches.", "of all 0 events", "No value is known to be"),
    *("No owner request is open.", "answered request", "Of 0 calls"),
    *("The case has no event", "No difference from the baseline"),
)
# Pages with the owners of some subjects; lists count the owners of those scanned.
_OWNERS = frozenset({"/event", "/decision", "/case", "/case/page"})
_OWNERS |= {"/agent", "/identity", "/credential"}


def list_new_denials(path: str, before: str, after: str) -> list[str]:
    """List the sentences that are a no in a page, and were not in it before."""
    owner = ['class="owner o-none'] if path in _OWNERS else []
    return [no for no in (*DENIALS, *owner) if no in after and no not in before]


def list_page_questions(
    held: str, draft: str, events: list[str], findings: list[str]
) -> list[Question]:
    """List each page of the law with what it is asked, at least once.

    Args:
        held: Id of a denied decision.
        draft: Digest of a baseline.
        events: Ids of events.
        findings: Ids of findings.
    """
    call = {"action": "s3:GetObject", "resource": DATA}
    drop = {"action": "DELETE", "resource": ORDERS}
    baseline = {"agent": DEVELOPER, "digest": draft}
    return [
        *(("/reach", {"subject": each}) for each in (REPORTER, USER, GONE, ELSEWHERE)),
        *(("/can", {"subject": each, **call}) for each in (REPORTER, USER, GONE)),
        ("/who-can", call),
        *(("/reach", {"subject": each}) for each in (APP, DEVELOPER)),
        *(("/can", {"subject": each, **drop}) for each in (APP, SUPPORT, USER)),
        ("/who-can", drop),
        ("/who-can", dict(zip(("action", "resource"), LEDGER_CALL, strict=True))),
        *(
            ("/what-if", {"subject": e, REMOVED_FIELDS[0]: STATEMENT})
            for e in (REPORTER, "")
        ),
        *(
            ("/reach", {"subject": each, "to": _READER_ROLE})
            for each in (REPORTER, USER)
        ),
        ("/what-if/cuts", {"subject": USER, "resource": DATA}),
        ("/search", {"q": "report"}),
        ("/agent", {"id": REPORTER}),
        ("/identity", {"id": USER}),
        ("/credential", {"id": KEY}),
        ("/person", {"id": "person:ana@corp.example"}),
        *(("/show", {"id": each}) for each in SHOWN),
        *((path, {}) for path in sorted(PAGES - _ASKED_ABOUT)),
        ("/owners", {"id0": REPORTER, "id1": USER}),
        ("/trace/compare", {"q": "since:1d"}),
        ("/kill", {"subject": REPORTER}),
        *(("/event", {"id": each}) for each in (*events, held)),
        *(("/proof", {"id": each}) for each in (events[0], held)),
        *(("/finding", {"id": each}) for each in findings),
        *((path, {"id": held}) for path in ("/decision", "/ask")),
        *((path, baseline) for path in ("/baseline", "/baseline/replay")),
        *((path, {"id": TITLE}) for path in ("/case", "/case/page")),
        *(("/sign", {"act": act, "id": held}) for act in ("allow", "refuse")),
        *(("/sign", {"act": "attest", "id": each}) for each in (DEVELOPER, USER)),
        ("/sign", {"act": "hold", "id": draft, "stage": "shadow", "for": "30d"}),
        ("/sign", {"act": "accept-finding", "id": findings[0], "reason": "known"}),
    ]
