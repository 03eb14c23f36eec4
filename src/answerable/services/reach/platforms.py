"""Register the permission platforms; the first one takes calls that no other owns."""

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.presentation.policy_condition_text import shorten_policy_name
from answerable.reach.aws.compiled_graph import AwsHost
from answerable.reach.aws.platform import AwsPlatform
from answerable.reach.platform import PermissionPlatform
from answerable.reach.postgres.platform import PostgresPlatform
from answerable.services.garbage_collection import pause_garbage_collection
from answerable.services.reach.stated_request_context import read_edit_policy

AWS = AwsPlatform(
    AwsHost(
        load_catalogue=load_catalogue,
        pause_collection=pause_garbage_collection,
        read_policy=read_edit_policy,
        shorten_policy_name=shorten_policy_name,
    )
)
PLATFORMS: tuple[PermissionPlatform, ...] = (AWS, PostgresPlatform())
