"""The desk: what stands is kept, and made anew when something changed."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.services.posture import logged_use
from answerable.services.statements import attested_owners
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from answerable.web import store_cache
from answerable.web.http.incoming_request import CSRF_FIELD
from answerable.web.pages import findings
from answerable.web.route_table import ROUTES
from answerable.web.routing import Redirect, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.cli.test_damaged_derived_files import flip_byte
from tests.web.conftest import shown
from tests.web.dispatcher_harness import DispatcherHarness


@pytest.fixture
def own(
    estate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StoreCache]:
    """A desk on a store that may be written to; reading it counts as quick."""
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", 60.0)
    shutil.copytree(estate / "store", tmp_path / "store")
    made = StoreCache(tmp_path / "store")
    yield made
    made.close()


def confirm(desk: StoreCache, subject: str, person: str) -> None:
    with EvidenceStore.open(desk.root, now=0, create=False) as store:
        inventory = desk.current_view().inventory
        ownership.attest_unsigned(store, inventory, subject, person, now=time.time_ns())


def an_agent(desk: StoreCache) -> str:
    return next(iter(desk.current_view().inventory.agents))


def test_what_stands_is_read_once(own: StoreCache) -> None:
    assert own.current_view() is own.current_view()
    assert own.version() == own.version()


def test_the_threads_of_a_server_decode_the_persons_of_a_scan_once(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = attested_owners._decode_persons
    monkeypatch.setattr(
        attested_owners,
        "_decode_persons",
        lambda store, digest: decoded.append(digest) or decode(store, digest),
    )

    def read_owners() -> None:
        with own.open_store() as store:
            attested_owners.read_attested_owners(store, own.now)

    threads = [threading.Thread(target=read_owners) for _ in range(3)]
    for each in threads:
        each.start()
        each.join()
    assert len(decoded) == 1


def test_findings_use_the_chains_that_the_view_has(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.current_view()
    monkeypatch.setattr(logged_use, "load_or_compute_chains", lambda *_: 1 / 0)
    assert any("use" in each["rule"] for each in findings.findings(own).items)


def test_what_was_just_said_is_seen_at_once_where_reading_is_quick(
    own: StoreCache,
) -> None:
    agent, before = an_agent(own), own.version()
    confirm(own, agent, "zoe@corp.example")
    assert (
        own.current_view().inventory.owners[agent].person == "person:zoe@corp.example"
    )
    assert own.version() != before


def test_where_reading_is_slow_the_last_one_answers_until_the_next_is_there(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", 0.0)
    monkeypatch.setattr(store_cache, "_REBUILD_SHARE", 0)
    go, made = threading.Event(), store_cache.build_view

    def slowly(*args: object, **named: object) -> object:
        assert go.wait(60)
        return made(*args, **named)  # type: ignore[arg-type]  # passed on

    agent, before = an_agent(own), own.current_view()
    monkeypatch.setattr(store_cache, "build_view", slowly)
    confirm(own, agent, "zoe@corp.example")
    assert own.current_view() is before
    go.set()
    for _ in range(500):
        if own.current_view() is not before:
            break
        time.sleep(0.02)
    assert (
        own.current_view().inventory.owners[agent].person == "person:zoe@corp.example"
    )


def test_a_change_waits_for_the_view_that_contains_it(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, before = an_agent(own), own.read_stamp()
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", -1.0)
    monkeypatch.setattr(store_cache, "_CHANGE_TIMEOUT", 60.0)
    confirm(own, agent, "zoe@corp.example")
    assert own.wait_for_change(before)
    assert (
        own.current_view().inventory.owners[agent].person == "person:zoe@corp.example"
    )


def test_a_replaced_inventory_is_collected_before_the_next_slow_build(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, collected = an_agent(own), []
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", -1.0)
    monkeypatch.setattr(store_cache, "_CHANGE_TIMEOUT", 60.0)
    monkeypatch.setattr(
        store_cache, "collect_replaced_results", lambda: collected.append(agent)
    )
    for person, times in (("zoe@corp.example", 0), ("ben@corp.example", 1)):
        before = own.read_stamp()
        confirm(own, agent, person)
        assert own.wait_for_change(before)
        assert len(collected) == times


def test_the_page_after_a_form_shows_its_change(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = an_agent(own)
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", -1.0)
    monkeypatch.setattr(store_cache, "_CHANGE_TIMEOUT", 60.0)

    def record(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> Redirect:
        confirm(cache, agent, "zoe@corp.example")
        return Redirect(f"/agent?id={agent}", "recorded")

    routes = (*ROUTES, WebRoute("/record", record, method="POST"))
    harness = DispatcherHarness(own, routes)
    cookie, session = harness.signed_in(WebRole.ADMIN)
    moved = harness.post("/record", {CSRF_FIELD: session.csrf_token()}, cookie)
    assert moved.status == 303
    assert (
        "zoe@corp.example" in harness.get(moved.fields["location"], cookie=cookie).text
    )
    harness.http_server.pool.close()


def test_a_change_waits_no_longer_than_its_bound(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, before = an_agent(own), own.read_stamp()
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", -1.0)
    monkeypatch.setattr(store_cache, "_CHANGE_TIMEOUT", 0.01)
    go, made = threading.Event(), store_cache.build_view

    def slowly(*args: object, **named: object) -> object:
        assert go.wait(60)
        return made(*args, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(store_cache, "build_view", slowly)
    confirm(own, agent, "zoe@corp.example")
    try:
        assert not own.wait_for_change(before)  # its own rebuild is too slow
        assert not own.wait_for_change(before)  # a rebuild that runs already is
    finally:
        go.set()


def test_what_was_made_of_the_last_one_is_made_of_the_next_before_it_answers(
    own: StoreCache,
) -> None:
    seen: list[str] = []
    own.get_derived("length", lambda standing: seen.append(standing.version))
    own.get_derived("length", lambda standing: seen.append(standing.version))
    assert len(seen) == 1
    confirm(own, an_agent(own), "zoe@corp.example")
    version = own.current_view().version
    assert seen[1:] == [version]


def test_what_is_kept_may_ask_for_more_that_is_kept(own: StoreCache) -> None:
    def outer(_: object) -> str:
        return own.get_derived("inner", lambda standing: standing.version)

    assert own.get_derived("outer", outer) == own.current_view().version
    confirm(own, an_agent(own), "zoe@corp.example")
    assert own.get_derived("outer", outer) == own.current_view().version


def test_ownership_is_judged_again_after_a_minute(
    own: StoreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own.current_view()
    # However long the build took, the view is old after a minute, and rebuilt at once.
    monkeypatch.setattr(store_cache, "_INLINE_SECONDS", 3600)
    monkeypatch.setattr(store_cache, "_REBUILD_SHARE", 0)
    later = time.time_ns() + 61 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    after = own.current_view()
    assert after.at == later
    assert after.chains is before.chains
    assert after.inventory.facts is before.inventory.facts


def test_the_overview_of_a_store_that_changes_does_not_wait_for_findings(
    estate: Path, tmp_path: Path, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(estate / "store", tmp_path / "store")
    cache = StoreCache(tmp_path / "store")
    started: list[str] = []
    monkeypatch.setattr(
        cache, "start_in_background", lambda name, task: started.append(name)
    )
    before = findings.get_findings_or_start(cache)
    assert before is not None
    with cache.open_store() as store:
        store.put_object("note", b"{}", cache.now)  # any change makes another view
    shown(cache, admin, "/")
    assert started[0] == "findings"
    assert findings.get_findings_or_start(cache) is before
    assert findings.findings(cache) is not before  # its own page has the newest
    assert findings.get_findings_or_start(cache) is not before
    cache.close()


def test_a_page_is_built_again_where_a_derived_file_is_damaged(
    own: StoreCache,
) -> None:
    web = DispatcherHarness(own)
    cookie, _ = web.signed_in(WebRole.ADMIN, WebRole.OWNER)
    whole = web.get("/identities", cookie=cookie)
    own.discard_view()
    own.current_view()
    path = own.root / "derived" / "inventory.blocks"
    for number in range(200):
        flip_byte(path, number / 200)
    again = web.get("/identities", cookie=cookie)
    assert (whole.status, again.status) == (200, 200)
    assert not web.failures
    assert again.body.count(b"<tr") == whole.body.count(b"<tr") > 1
