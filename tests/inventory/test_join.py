import pytest

from answerable.inventory.sync_join import (
    assess_owners_at_time,
    join_syncs_into_inventory,
)
from answerable.model.credential import CredentialClass
from answerable.model.ids import AgentId, CredentialId
from answerable.model.person import OwnerEvidenceKind, OwnerState
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from tests.inventory.fact_builders import (
    ACCOUNT,
    DAY,
    NOW,
    agent,
    arn,
    credential,
    evidence,
    human,
    identity,
    link,
    person,
    policy,
    statement,
    sync,
    tool,
)

# The account number 111122223333 is written in it.
KEY = "cred:aws/AKIARTX3GSDSRRFJNQSQ"
PROFILE = CredentialId("cred:fp/profile")
CLAUDE = AgentId("agent:claude-code/home/ana")
USER = arn("user/report-bot")
ROLE = arn("role/data-reader")


def test_a_key_joins_to_its_user_through_the_key_list() -> None:
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", identities=(identity("user/report-bot"),)),
            sync("aws-keys:k", links=(link(KEY, USER),)),
            sync(
                "home:h",
                agents=(agent(),),
                tools=(tool("claude-code/home/ana", "db", CredentialId(KEY)),),
                credentials=(credential(KEY),),
            ),
        ],
        now=NOW,
    )
    found = inventory.credentials[CredentialId(KEY)]
    assert (found.identity, found.how) == (USER, "list-access-keys")
    assert inventory.agents[CLAUDE].identities == (USER,)


def test_without_a_key_list_only_the_account_is_known() -> None:
    inventory = join_syncs_into_inventory(
        [sync("home:h", credentials=(credential(KEY),))], now=NOW
    )
    found = inventory.credentials[CredentialId(KEY)]
    assert found.identity is None
    assert found.how == f"account {ACCOUNT}, principal not collected"


@pytest.mark.parametrize("key", ["cred:aws/AKIAIOSFODNN7EXAMPLE", "cred:fp/0a1b"])
def test_a_credential_that_names_no_account_says_so(key: str) -> None:
    inventory = join_syncs_into_inventory(
        [sync("home:h", credentials=(credential(key),))], now=NOW
    )
    assert inventory.credentials[CredentialId(key)].how == "principal not collected"


def test_a_user_with_a_path_is_the_user_of_the_key_list() -> None:
    pathed = identity("user/eng/bots/report-bot", unique="AIDA")
    short = identity("user/Report-Bot", unique="")
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", NOW - DAY, identities=(pathed,)),
            sync(
                "aws-keys:k",
                identities=(short,),
                links=(link(KEY, short.id),),
                evidence=(evidence(short.id, "ana@corp.example"),),
            ),
        ],
        now=NOW,
    )
    assert [i.id for i in inventory.facts.identities] == [pathed.id]
    assert inventory.credentials[CredentialId(KEY)].identity == pathed.id
    assert inventory.owners[pathed.id].person == person("ana@corp.example")


def test_users_of_one_name_in_two_accounts_stay_apart() -> None:
    there = identity("user/x/report-bot", account="999999999999")
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", identities=(there,)),
            sync("aws-keys:k", links=(link(KEY, USER),)),
        ],
        now=NOW,
    )
    assert inventory.credentials[CredentialId(KEY)].identity == USER


def test_the_key_list_goes_before_the_trail_and_both_before_a_file() -> None:
    others = [arn("user/a"), arn("user/b")]
    links = (
        link(KEY, others[0], "profile-role"),
        link(KEY, others[1], "trail", NOW + DAY),
        link(KEY, USER),
    )
    inventory = join_syncs_into_inventory([sync("aws:a", links=links)], now=NOW)
    assert inventory.credentials[CredentialId(KEY)].identity == USER
    inventory = join_syncs_into_inventory([sync("aws:a", links=links[:2])], now=NOW)
    assert inventory.credentials[CredentialId(KEY)].identity == others[1]


def test_a_tool_without_a_credential_acts_with_the_ambient_ones_of_its_host() -> None:
    ambient = CredentialClass.AMBIENT
    inventory = join_syncs_into_inventory(
        [
            sync(
                "home:h",
                agents=(agent(),),
                tools=(
                    tool("claude-code/home/ana", "files"),
                    tool("claude-code/home/ana", "web", CredentialId("cred:fp/t")),
                ),
                credentials=(
                    credential(PROFILE, cls=ambient, kind="aws-profile"),
                    credential("cred:fp/else", cls=ambient, scope="home:/home/ben"),
                    credential("cred:fp/t"),
                ),
                links=(link(PROFILE, ROLE, "profile-role"),),
            )
        ],
        now=NOW,
    )
    files, web = inventory.agents[CLAUDE].tools
    assert (files.credentials, files.inherited) == ((PROFILE,), True)
    assert files.identities == (ROLE,)
    assert (web.credentials, web.inherited) == ((CredentialId("cred:fp/t"),), False)
    assert inventory.agents[CLAUDE].identities == (ROLE,)


def test_a_tool_that_is_switched_off_still_counts_as_one_that_may_be_switched_on() -> (
    None
):
    inventory = join_syncs_into_inventory(
        [
            sync(
                "home:h",
                agents=(agent(),),
                tools=(
                    tool(
                        "claude-code/home/ana", "db", CredentialId(KEY), enabled=False
                    ),
                ),
                credentials=(credential(KEY),),
                links=(link(KEY, USER),),
            )
        ],
        now=NOW,
    )
    (use,) = inventory.agents[CLAUDE].tools
    assert (use.tool.enabled, use.identities) == (False, (USER,))
    assert inventory.agents[CLAUDE].identities == (USER,)


def family(*facts: tuple[str, str]) -> SightedFacts:
    child = "claude-code/home/ana/reporter"
    return SightedFacts(
        agents=(
            agent(),
            agent(child, parent="claude-code/home/ana", facts=facts),
            agent(f"{child}/leaf", parent=child),
        ),
        tools=(tool("claude-code/home/ana", "db", CredentialId(KEY)),),
        credentials=(credential(KEY),),
        links=(link(KEY, USER),),
        evidence=(evidence(CLAUDE, "ana", OwnerEvidenceKind.HOME),),
    )


def test_a_subagent_that_states_no_tools_has_its_parents() -> None:
    facts = family(("tools", "inherits all"))
    inventory = join_syncs_into_inventory([_with(facts)], now=NOW)
    for key in ("reporter", "reporter/leaf"):
        child = inventory.agents[AgentId(f"{CLAUDE}/{key}")]
        assert [use.tool.server for use in child.tools] == ["db"]
        assert child.identities == (USER,)
        assert inventory.owners[child.agent.id].person == person("ana")


def test_a_subagent_that_states_other_tools_has_only_those() -> None:
    inventory = join_syncs_into_inventory([_with(family(("tools", "Read")))], now=NOW)
    assert inventory.agents[AgentId(f"{CLAUDE}/reporter")].tools == ()


def _with(facts: SightedFacts) -> tuple[str, Sync]:
    return "home:h", Sync("home:h", "home", NOW, facts)


def test_parents_in_a_circle_end_somewhere() -> None:
    agents = (agent("x/a", parent="x/b"), agent("x/b", parent="x/a"))
    inventory = join_syncs_into_inventory([sync("home:h", agents=agents)], now=NOW)
    assert [e.tools for e in inventory.agents.values()] == [(), ()]
    assert {o.state for o in inventory.owners.values()} == {OwnerState.NONE}


def test_a_removed_policy_is_gone_with_the_newer_sync_of_its_connector() -> None:
    old, was = policy(ROLE, statement("*", "*"))
    words = ("identity-policies",)
    role = identity("role/data-reader")
    before = sync(
        "aws:jan",
        NOW - 30 * DAY,
        identities=(role,),
        policies=(old,),
        attachments=(was,),
        evidence=(evidence(ROLE, "old@corp.example"),),
        collected=words,
    )
    after = sync("aws:feb", identities=(role,), collected=words)
    inventory = join_syncs_into_inventory([before, after], now=NOW)
    assert inventory.facts.attachments == ()
    assert inventory.facts.evidence == ()
    # A newer sync that was not allowed to read policies takes none away.
    blind = sync("aws:feb", identities=(role,))
    assert join_syncs_into_inventory([before, blind], now=NOW).facts.attachments == (
        was,
    )


def test_what_one_connector_did_not_collect_comes_from_another() -> None:
    tagged = identity("user/report-bot", unique="AIDA", tags=(("Owner", "ana"),))
    bare = identity("user/report-bot", unique="", used=5)
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", NOW - DAY, identities=(tagged,)),
            sync("aws-keys:k", identities=(bare,)),
        ],
        now=NOW,
    )
    (found,) = inventory.facts.identities
    assert (found.unique_id, found.tags, found.last_used_at) == (
        "AIDA",
        (("Owner", "ana"),),
        5,
    )


def test_ownership_ages_and_facts_stay() -> None:
    inventory = join_syncs_into_inventory(
        [
            sync(
                "aws:a",
                identities=(identity("role/data-reader"),),
                evidence=(evidence(ROLE, "ana@corp.example"),),
            )
        ],
        now=NOW,
    )
    later = assess_owners_at_time(inventory, NOW + 540 * DAY)
    assert inventory.owners[ROLE].state is OwnerState.INFERRED
    assert later.owners[ROLE].state is OwnerState.SUGGESTED
    assert later.owners[ROLE].score == pytest.approx(0.375)
    assert later.facts == inventory.facts


def test_candidates_are_people_too() -> None:
    inventory = join_syncs_into_inventory(
        [
            sync(
                "aws:a",
                persons=(human("ana@corp.example", "ana"),),
                evidence=(evidence(ROLE, "ana"), evidence(USER, "ben@corp.example")),
            )
        ],
        now=NOW,
    )
    assert set(inventory.persons) == {
        person("ana@corp.example"),
        person("ben@corp.example"),
    }
    assert inventory.owners[ROLE].person == person("ana@corp.example")


def test_a_home_lists_its_person_once_and_believes_no_alias_from_its_files() -> None:
    folder = human("ana")
    said = human("ana", "boss@corp.example", by=WrittenBy.SELF_REPORTED)
    inventory = join_syncs_into_inventory(
        [
            sync("home:h", persons=(folder, said)),
            sync("aws:a", evidence=(evidence(ROLE, "boss@corp.example"),)),
        ],
        now=NOW,
    )
    assert set(inventory.persons) == {person("ana"), person("boss@corp.example")}
    assert inventory.persons[person("ana")].aliases == ("boss@corp.example",)
    assert inventory.owners[ROLE].person == person("boss@corp.example")


def test_coverage_names_every_source_with_its_age() -> None:
    inventory = join_syncs_into_inventory(
        [sync("home:h", NOW - DAY), sync("aws:a")], now=NOW, name="n"
    )
    assert [(c.source, c.at) for c in inventory.coverage] == [
        ("aws:a", NOW),
        ("home:h", NOW - DAY),
    ]
