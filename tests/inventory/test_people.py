import pytest

from answerable.inventory.person_directory import (
    PersonDirectory,
    is_machine_user,
    is_team_handle,
)
from answerable.model.provenance import WrittenBy
from tests.inventory.fact_builders import evidence, human, person


@pytest.mark.parametrize(
    "handle",
    [
        "dependabot[bot]",
        "github-actions",
        "codebuild.amazonaws.com",
        "arn:aws:sts::111122223333:assumed-role/ci/run",
        "svc-deploy@corp.example",
        "release-bot",
        "jenkins@corp.example",
        "41898282+github-actions[bot]@users.noreply.github.com",
        "deploy@project.iam.gserviceaccount.com",
    ],
)
def test_a_machine_is_no_person(handle: str) -> None:
    assert is_machine_user(f"person:{handle}")


@pytest.mark.parametrize("handle", ["ana", "ana@corp.example", "bot.tom@corp.example"])
def test_a_person_is_no_machine(handle: str) -> None:
    assert not is_machine_user(f"person:{handle}")


def test_a_team_of_a_forge_is_known_by_its_slash() -> None:
    assert is_team_handle("person:@org/team")
    assert not is_team_handle("person:@ana")
    assert not is_team_handle("person:ana@corp.example")


def test_a_chain_of_aliases_is_one_person_under_the_address() -> None:
    people = PersonDirectory(
        [human("ana", "a.ng"), human("ana@corp.example", "a.ng"), human("ben")]
    )
    assert set(people.by_id) == {person("ana@corp.example"), person("ben")}
    assert people("person:A.NG") == person("ana@corp.example")
    assert people.by_id[person("ana@corp.example")].aliases == ("a.ng", "ana")


def test_an_alias_of_ones_own_writing_merges_nobody() -> None:
    liar = human("ana", "ben", by=WrittenBy.SELF_REPORTED)
    people = PersonDirectory([liar, human("ben")])
    assert people("person:ben") == person("ben")
    assert people("person:ana") == person("ana")


def test_every_candidate_is_somebody() -> None:
    people = PersonDirectory([], [evidence("s", "new@corp.example")])
    found = people.get_merged_person("person:new@corp.example")
    assert found is not None
    assert (found.team, found.alive) == (False, True)


def test_an_unknown_handle_stays_as_it_is() -> None:
    assert PersonDirectory([])("person:Nobody") == "person:Nobody"


def test_one_tag_that_calls_a_person_a_team_does_not_make_them_one() -> None:
    people = PersonDirectory(
        [human("ana@corp.example"), human("ana@corp.example", team=True)]
    )
    assert not people.by_id[person("ana@corp.example")].team


def test_what_a_persons_own_files_say_makes_nobody_leave_or_a_team() -> None:
    own = WrittenBy.SELF_REPORTED
    people = PersonDirectory(
        [human("ana"), human("ana", team=True, alive=False, by=own)]
    )
    found = people.by_id[person("ana")]
    assert (found.team, found.alive) == (False, True)
