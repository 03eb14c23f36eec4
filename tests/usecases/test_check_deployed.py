"""`baseline check --deployed`: what is in force against what was signed."""

from dataclasses import replace

import pytest

from answerable.baseline.profile_document import encode_profile, profile_document_digest
from answerable.cli.main import main
from answerable.model.baseline import (
    BaselineProfile,
    BaselineStage,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.ids import PolicyId
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.usecases.baseline import check_deployed as flow
from tests.reach.account_builder import SEEN_AT, AccountBuilder, role, statement

NOW = SEEN_AT * 10**9
ROLE = role("agent")
COUNTS = ObservationCounts(1, 1, 1)
KEY = "arn:aws:s3:::in/a"


def sign_calls(monkeypatch, calls: dict[str, str]) -> None:
    """Let one profile be in force, of some calls with one resource each."""
    subject = BaselineSubject(ROLE, "agent:declared/reporter", "cloud")
    profile = BaselineProfile(
        subject,
        capabilities=tuple(
            CapabilityEntry(f"cloud/{call}", "", False, COUNTS) for call in calls
        ),
        entities=tuple(
            EntityEntry(
                f"cloud/{call}",
                "resource",
                EntityPattern(EntityKind.ARN, GeneralisationLevel.EXACT, name),
                False,
                True,
                COUNTS,
            )
            for call, name in calls.items()
        ),
    )
    digest = profile_document_digest(encode_profile(profile))
    active = ActiveBaseline(
        subject, digest, profile, BaselineStage.SHADOW, "person:ana", 0, 2**62
    )
    monkeypatch.setattr(
        flow.signed_baselines, "read_active_baselines", lambda *_: {subject: active}
    )


@pytest.fixture
def signed(monkeypatch):
    """Let one profile be in force: `s3:GetObject` of one object."""
    sign_calls(monkeypatch, {"s3:GetObject": KEY})


@pytest.mark.parametrize(
    ("identity", "platform"),
    [
        ("bot@shop.iam.gserviceaccount.com", "gcp"),
        ("0f0e0d0c-1111", "azure"),
        ("github:user/ana", "github"),
    ],
)
def test_a_platform_that_is_not_compared_is_named(
    signed, monkeypatch, identity: str, platform: str
) -> None:
    ((_, active),) = flow.signed_baselines.read_active_baselines(None, NOW).items()
    old = active.subject
    subject = BaselineSubject(identity, old.agent, old.server)
    other = ActiveBaseline(
        subject, active.digest, active.profile, BaselineStage.SHADOW, "person:ana", 0, 2
    )
    monkeypatch.setattr(
        flow.signed_baselines, "read_active_baselines", lambda *_: {subject: other}
    )
    inventory = AccountBuilder().inventory()
    found = flow.check_deployed(None, inventory, "", now=NOW)
    (item,) = found.items
    assert (item["platform"], item["drift"]) == (platform, "not-known")
    assert "aws" not in item["resource"]


def check(*today):
    account = AccountBuilder()
    account.identity(ROLE)
    account.policy(ROLE, "identity", *today)
    return flow.check_deployed(None, account.inventory(), "", now=NOW)


def test_the_signed_policy_in_force_is_no_drift(signed) -> None:
    found = check(statement("s", action="s3:GetObject", resource=KEY))
    assert (found.items, found.failed, found.undecided) == ([], False, "")


def test_more_than_signed_and_less_than_signed_are_drift(signed) -> None:
    wide = check(statement("s", action="s3:GetObject", resource="arn:aws:s3:::in/*"))
    assert {each["drift"] for each in wide.items} == {"beyond-signed"}
    assert wide.failed
    none = check(statement("s", action="sqs:*", resource="*"))
    kinds = {(each["drift"], each["action"]) for each in none.items}
    assert ("missing", "s3:GetObject") in kinds
    assert ("beyond-signed", "sqs:*") in kinds


def test_uncollected_policies_are_not_known_and_no_agreement(signed) -> None:
    account = AccountBuilder()
    account.identity(role("other"))
    found = flow.check_deployed(None, account.inventory(), "", now=NOW)
    assert [each["drift"] for each in found.items] == ["not-known"]
    assert found.undecided
    assert not found.failed


def test_an_identity_that_edits_its_own_policies_hides_no_drift(monkeypatch) -> None:
    write = statement("w", action="iam:PutRolePolicy", resource=ROLE)
    read = statement("s", action="s3:GetObject", resource=KEY)
    sign_calls(monkeypatch, {"iam:PutRolePolicy": ROLE, "s3:GetObject": KEY})
    assert check(write, read).items == []
    wide = check(write, read, statement("q", action="sqs:*", resource="*"))
    found = {(each["drift"], each["action"]) for each in wide.items}
    assert found == {("beyond-signed", "sqs:*")}
    less = check(write)
    found = {(each["drift"], each["action"]) for each in less.items}
    assert found == {("missing", "s3:GetObject")}


def test_a_policy_that_was_not_collected_is_not_known(signed) -> None:
    account = AccountBuilder()
    account.identity(ROLE)
    wide = statement("s", action="s3:*", resource="arn:aws:s3:::in/*")
    account.policy(ROLE, "identity", wide)
    attached = replace(account.attachments[-1], policy=PolicyId("arn:aws:iam::1:x"))
    account.attachments.append(attached)
    found = flow.check_deployed(None, account.inventory(), "", now=NOW)
    (item,) = found.items
    assert item["drift"] == "not-known"
    assert item["resource"] == "its policy arn:aws:iam::1:x was not collected"
    assert found.undecided


def test_a_time_does_not_go_with_deployed_permissions(capsys) -> None:
    assert main(["baseline", "check", "--deployed", "--since", "7d"]) == 2
    assert "--since does not go with --deployed" in capsys.readouterr().err
