"""The catalogue: one service at a time, any case, and the matrix."""

import pytest

from answerable.connectors.iam_catalogue import fetch
from answerable.connectors.iam_catalogue.parse import (
    convert_template_to_arn_pattern,
    parse_services,
)
from answerable.model.errors import ParseError


def test_only_the_services_asked_for_are_loaded() -> None:
    catalogue = fetch.load_catalogue(["S3", "no-such-service"])
    assert set(catalogue.services) == {"s3"}
    assert {"s3", "iam", "lambda"} <= catalogue.known


def test_service_and_action_are_found_in_any_case() -> None:
    entry = fetch.load_catalogue(["s3"]).find_action("S3:getOBJECT")
    assert str(entry) == "s3:GetObject"


def test_an_action_knows_the_resources_it_can_take() -> None:
    catalogue = fetch.load_catalogue(["s3"])
    get, listing = (
        catalogue.find_action(f"s3:{n}") for n in ("GetObject", "ListBucket")
    )
    everything = catalogue.find_action("s3:ListAllMyBuckets")
    assert get
    assert listing
    assert everything
    assert "object" in get.resource_types
    assert "object" not in listing.resource_types
    assert everything.takes_only_wildcard_resource


def test_what_is_not_loaded_is_not_known() -> None:
    assert fetch.load_catalogue([]).find_action("s3:GetObject") is None


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        ("arn:${Partition}:s3:::${BucketName}", "arn:*:s3:::*"),
        ("arn:${Partition}:s3:::${B}/${Key}", "arn:*:s3:::*/*"),
        ("arn:aws:x:::fixed", "arn:aws:x:::fixed"),
        ("arn:${Partition", "arn:*"),
    ],
)
def test_variable_parts_of_an_arn_are_wildcards(template: str, pattern: str) -> None:
    assert convert_template_to_arn_pattern(template) == pattern


def test_a_file_that_is_something_else_names_itself() -> None:
    with pytest.raises(ParseError, match=r"s3\.json"):
        parse_services({"s3": (b'{"a": 1}', b"{}")})
