"""Where a file of answers covers policies, and code that runs, whole."""

import pytest

from answerable.model.coverage import CoverageScope
from answerable.model.sighting import Sync
from tests.connectors.aws_resources.conftest import Read

ACCOUNT, HERE, THERE = "123456789012", "eu-west-1", "us-east-1"
CALLER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/x", "UserId": "x"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runs"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/web"
RUNNING = CoverageScope("running-code", ACCOUNT, HERE)


def key(region: str, name: str = "k") -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}"


def keys(region: str = HERE, service: str = "kms") -> CoverageScope:
    return CoverageScope("resource-policies", ACCOUNT, region, service)


def function(region: str) -> dict[str, object]:
    arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:f"
    return {"Functions": [{"FunctionArn": arn, "Role": ROLE}]}


def instances(*profiles: str, zone: str = f"{HERE}a") -> dict[str, object]:
    placed = {"InstanceId": "i-1", "Placement": {"AvailabilityZone": zone}}
    had = [{**placed, "IamInstanceProfile": {"Arn": each}} for each in profiles]
    of = {"OwnerId": ACCOUNT, "Instances": had or [placed]}
    return {"Reservations": [of]}


def test_a_whole_region_is_told_service_by_service(resources: Sync) -> None:
    told = {(h.region, h.service) for h in resources.held if h.service}
    services = ("sns", "sqs", "lambda", "secretsmanager", "ecr")
    # The policy of one key was refused.
    assert told == {("", "s3"), *((HERE, service) for service in services)}
    assert RUNNING in resources.held


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ({"KeyPolicy": {key(HERE): None}}, ()),
        ({"Keys": [{"KeyArn": key(HERE)}]}, ()),
        ({"Keys": [{"KeyArn": key(HERE)}], "KeyPolicy": {key(HERE): None}}, (keys(),)),
        (
            {
                "Keys": [{"KeyArn": key(HERE)}, {"KeyArn": key(THERE)}],
                "KeyPolicy": {key(THERE): None},
            },
            (keys(THERE),),
        ),
        (
            {
                "Keys": [{"KeyArn": key(HERE)}],
                "KeyPolicy": {key(HERE): None},
                "NextToken": "more",
            },
            (),
        ),
        ({"Keys": []}, ()),
        ({"Keys": [], "Region": HERE}, (keys(),)),
        ({"Keys": [], "Region": HERE, **function(THERE)}, ()),
        ({"QueueUrls": ["https://elsewhere.example/q"], "Region": HERE}, ()),
        ({"Buckets": []}, (keys("", "s3"),)),
        ({"Buckets": [{"Name": "lake"}], "BucketPolicy": {"lake": "Forbidden"}}, ()),
    ],
)
def test_policies_are_whole_where_all_that_is_listed_has_its_answer(
    read: Read, content: dict[str, object], held: tuple[CoverageScope, ...]
) -> None:
    assert read({**CALLER, **content}).held == held


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (function(HERE), False),
        ({**function(HERE), "Reservations": []}, False),
        ({**function(HERE), "Reservations": [], "Region": HERE}, True),
        ({**function(HERE), **instances()}, True),
        ({**function(HERE), **instances(zone=f"{THERE}a")}, False),
        ({**function(HERE), **instances(PROFILE)}, False),
        (
            {
                **function(HERE),
                **instances(PROFILE),
                "InstanceProfiles": [{"Arn": PROFILE}],
            },
            True,
        ),
    ],
)
def test_running_code_is_whole_where_functions_and_instances_are(
    read: Read, content: dict[str, object], *, holds: bool
) -> None:
    assert (RUNNING in read({**CALLER, **content}).held) is holds


def test_an_empty_list_of_nobody_s_holds_nowhere(read: Read) -> None:
    assert read({"Functions": [], "Reservations": [], "Region": HERE}).held == ()


def test_two_regions_that_are_named_tell_nothing_of_an_empty_list(read: Read) -> None:
    lines = [{**CALLER, "Region": HERE}, {"Region": THERE}, {"Keys": []}]
    assert read(lines).held == ()
