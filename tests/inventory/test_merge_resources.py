"""What resources say of themselves, merged with what others say of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from answerable.connectors.aws import fetch as aws
from answerable.connectors.aws_resources.parse import parse
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.connector import SyncContext
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts, Sync
from tests.inventory.fact_builders import identity
from tests.inventory.fact_builders import sync as made

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1"
BUCKET = "arn:aws:s3:::lake"
CALLER = f'"Account": "{ACCOUNT}", "Arn": "arn:aws:iam::{ACCOUNT}:user/x"'
OPEN = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}'


def scanned(name: str, at: int, content: str) -> tuple[str, Sync]:
    source = f"aws-resources:{name}"
    parsed = parse(
        f"{{{CALLER}, {content}}}".encode(), source=source, place=name, now=at
    )
    assert parsed.problems == ()
    sync = Sync(source, "aws-resources", at, parsed.facts, collected=parsed.collected)
    return source, sync


def merged(*syncs: tuple[str, Sync]) -> SightedFacts:
    return join_syncs_into_inventory(list(syncs), now=10).facts


def held(facts: SightedFacts) -> dict[str, int]:
    known = {policy.id: len(policy.statements) for policy in facts.policies}
    return {a.policy: known[a.policy] for a in facts.attachments}


@pytest.fixture
def account(root: Path) -> Sync:
    path = root / "tests" / "data" / "aws" / "account.json"
    return aws.sync(str(path), SyncContext(1, lambda value: "0" * 24))


def test_a_bucket_that_only_a_policy_named_gets_owner_policy_and_tags(
    account: Sync,
) -> None:
    buckets = [r for r in account.facts.resources if r.kind == "s3:bucket"]
    assert buckets
    assert buckets[0].account == ""
    name = buckets[0].id.rpartition(":")[2]
    tags = '{"TagSet": [{"Key": "team", "Value": "data"}]}'
    content = (
        f'"BucketPolicy": {{"{name}": {OPEN}}}, "BucketTagging": {{"{name}": {tags}}}'
    )
    for at in (0, 2):  # before the account, and after it
        facts = merged((account.source, account), scanned("r", at, content))
        (found,) = (r for r in facts.resources if r.id == buckets[0].id)
        assert (found.account, found.tags) == (ACCOUNT, (("team", "data"),))
        assert held(replace(facts, attachments=_of(facts))) == {f"{found.id}#policy": 1}


def _of(facts: SightedFacts) -> tuple[object, ...]:
    return tuple(a for a in facts.attachments if a.layer is PolicyLayer.RESOURCE)


def test_a_policy_that_is_gone_is_gone_when_the_file_is_read_again() -> None:
    before = scanned("r", 1, f'"BucketPolicy": {{"lake": {OPEN}}}')
    after = scanned("r", 2, '"BucketPolicy": {"lake": null}')
    assert held(merged(before)) == {f"{BUCKET}#policy": 1}
    assert held(merged(before, after)) == {f"{BUCKET}#policy": 0}
    moved = scanned("other", 2, '"BucketPolicy": {"lake": null}')
    assert held(merged(before, moved)) == {f"{BUCKET}#policy": 0}


def test_a_file_that_did_not_ask_silences_nothing_that_was_asked_before() -> None:
    document = f'"KeyPolicy": {{"{KEY}": {OPEN}}}'
    block = '{"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}}'
    first = scanned(
        "first",
        1,
        f'"KeyGrants": {{"{KEY}": {{}}}}, {document},'
        f' "PublicAccessBlock": {{"lake": {block}}}',
    )
    later = scanned("later", 2, f'{document}, "BucketTagging": {{"lake": null}}')
    facts = merged(first, later)
    assert held(facts) == {f"{KEY}#policy": 1, f"{KEY}#grants": 0}
    assert [b.target for b in facts.public_access] == [BUCKET]


def test_the_newest_block_speaks() -> None:
    def block(value: str) -> str:
        given = f'{{"RestrictPublicBuckets": {value}}}'
        answer = f'{{"PublicAccessBlockConfiguration": {given}}}'
        return f'"AccountPublicAccessBlock": {{"{ACCOUNT}": {answer}}}'

    old, new = scanned("a", 1, block("true")), scanned("b", 2, block("false"))
    (found,) = merged(old, new).public_access
    assert found.restrict_public_buckets is False
    (found,) = merged(new, old).public_access
    assert found.restrict_public_buckets is False


def test_a_role_is_spelled_as_the_account_spells_it() -> None:
    role = identity("role/team/etl", account=ACCOUNT)
    short = f"arn:aws:iam::{ACCOUNT}:role/etl"
    function = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
    content = f'"Functions": [{{"FunctionArn": "{function}", "Role": "{short}"}}]'
    facts = merged(made("aws:a", identities=(role,)), scanned("r", 2, content))
    (found,) = facts.resources
    assert found.runs_as == role.id != short
