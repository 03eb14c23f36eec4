"""Conversion of `s3://` URIs to ARNs."""


def convert_s3_uri(resource: str) -> str:
    """Convert an `s3://` URI to an ARN; other texts stay unchanged."""
    if resource.startswith("s3://"):
        return "arn:aws:s3:::" + resource.removeprefix("s3://").rstrip("/")
    return resource
