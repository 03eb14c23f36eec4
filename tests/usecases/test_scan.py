from pathlib import Path

import pytest

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory.list_scan_locations import list_scan_locations
from answerable.usecases.inventory.scan import scan_sources
from tests.inventory.fact_builders import DAY, NOW, agent, identity
from tests.usecases.connector_stub import ConnectorStub

HOME = Path("/home/ana")
CWD = Path("/srv/project")


def run(store: EvidenceStore, *sources: str, now: int = NOW) -> Document:
    return scan_sources(store, sources, now=now, home=HOME, cwd=CWD)


def test_a_bare_scan_reads_the_home_and_the_working_directory(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    document = run(store)
    assert stage.asked == [("home", "/home/ana"), ("repo", "/srv/project")]
    assert [item["source"] for item in document.items] == [
        "home:/home/ana",
        "repo:/srv/project",
    ]


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("home:~", "/home/ana"),
        ("home:~/x", "/home/ana/x"),
        ("home", "/home/ana"),
        ("repo:", "/srv/project"),
        ("repo:../other", "/srv/other"),
        ("repo:./a/../b", "/srv/project/b"),
        ("aws:dump.json", "/srv/project/dump.json"),
        ("aws:/x:y.json", "/x:y.json"),
        ("aws:", ""),
        ("aws", ""),
    ],
)
def test_a_location_means_the_same_from_everywhere(
    store: EvidenceStore, stage: ConnectorStub, text: str, location: str
) -> None:
    run(store, text)
    assert stage.asked == [(text.partition(":")[0], location)]


def test_a_source_given_twice_is_read_once(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    run(store, "aws:a", "aws:./a")
    assert stage.asked == [("aws", "/srv/project/a")]


@pytest.mark.parametrize(
    ("text", "hint"),
    [("hom:~", "did you mean home:?"), ("confluence", "known: home, repo")],
)
def test_an_unknown_source_reads_nothing(
    store: EvidenceStore, text: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        run(store, text)
    assert hint in caught.value.hint
    assert store.list_objects("sync") == ()


def test_a_source_of_events_is_sent_to_ingest(store: EvidenceStore) -> None:
    with pytest.raises(UsageError) as caught:
        run(store, "cloudtrail:trail")
    assert "answerable ingest" in caught.value.hint


def test_an_item_counts_what_was_seen(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    stage.facts["aws"] = SightedFacts(
        agents=(agent(),), identities=(identity("role/a"), identity("user/b"))
    )
    (item,) = run(store, "aws:a").items
    assert (item["agents"], item["identities"], item["policies"]) == (1, 2, 0)
    assert item["snapshot"] == "2024-10-04T00-00-00Z"


def test_what_could_not_be_read_makes_the_scan_partial(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    problem = ReadProblem(ReadProblemKind.INVALID, "/x.json", "not JSON\nat all")
    stage.problems["home"] = (problem,)
    document = run(store)
    assert document.is_partial
    assert document.items[0]["problems"] == ["invalid: /x.json: not JSON at all"]
    assert document.items[1]["problems"] == []


def test_one_source_that_fails_takes_nothing_from_the_others(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    run(store, "aws:a", "home:~")
    stage.errors["aws"] = EnvironmentFailure("no network (got a timeout)")
    document = run(store, "aws:a", "home:~", now=NOW + DAY)
    assert document.is_partial
    assert document.items[0]["problems"] == [
        "unreadable: aws:/srv/project/a: no network (got a timeout)"
    ]
    # Its last sync stays, as old as it is.
    assert [(c.source, c.at) for c in snapshots.load_inventory(store).coverage] == [
        ("aws:/srv/project/a", NOW),
        ("home:/home/ana", NOW + DAY),
    ]


def test_when_no_source_can_be_read_its_reason_is_the_answer(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    stage.errors["aws"] = UsageError("there is no file /srv/project/a")
    with pytest.raises(UsageError, match="there is no file"):
        run(store, "aws:a")
    assert store.list_objects("snapshot") == ()


def test_a_bug_in_one_connector_is_loud_once_the_others_are_kept(
    store: EvidenceStore, stage: ConnectorStub
) -> None:
    stage.errors["aws"] = KeyError("a bug")
    with pytest.raises(KeyError):
        run(store, "aws:a", "home:~")
    assert [c.source for c in snapshots.load_inventory(store).coverage] == [
        "home:/home/ana"
    ]


def test_where_lists_places_and_reads_none(stage: ConnectorStub) -> None:
    document = list_scan_locations(("aws:", "home:~"), home=HOME, cwd=CWD)
    assert [(i["source"], i["place"]) for i in document.items] == [
        ("aws:", "live"),
        ("home:/home/ana", "/home/ana"),
    ]
    assert stage.asked == []
