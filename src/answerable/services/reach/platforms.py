"""Register the permission platforms; the first one takes calls that no other owns."""

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.reach.aws.compiled_graph import CompilerHost
from answerable.reach.aws.platform import AwsPlatform
from answerable.reach.platform import PermissionPlatform
from answerable.reach.postgres.platform import PostgresPlatform
from answerable.services.garbage_collection import pause_garbage_collection

AWS = AwsPlatform(CompilerHost(load_catalogue, pause_garbage_collection))
PLATFORMS: tuple[PermissionPlatform, ...] = (AWS, PostgresPlatform())
