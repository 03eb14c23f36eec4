"""Local folder of a store in object storage (`--store s3://BUCKET/PREFIX`)."""

import hashlib
import re
from pathlib import Path

_MAX_NAME = 60


def bind_local_folder(named: str, data_home: Path) -> tuple[Path, str]:
    """Find, or create, the local folder of a store in object storage.

    Args:
        named: `s3://BUCKET/PREFIX` or `s3://BUCKET/PREFIX@SNAPSHOT`.
        data_home: Folder of the user's data.

    Returns:
        The folder, and the name of the snapshot.

    Raises:
        UsageError: The location is malformed.
    """
    from answerable.connectors.s3_bucket import parse_location
    from answerable.connectors.s3_location import refuse_credentials
    from answerable.store.remote_store import bind_folder

    refuse_credentials(named)
    text, _, snapshot = named.partition("@")
    bucket, prefix = parse_location(text)
    location = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
    name = re.sub(r"[^a-zA-Z0-9.]+", "-", f"{bucket}/{prefix}").strip("-")[:_MAX_NAME]
    digest = hashlib.sha256(location.encode()).hexdigest()[:12]
    root = data_home / "answerable-s3" / f"{name}-{digest}"
    bind_folder(root, location)
    return root, snapshot
