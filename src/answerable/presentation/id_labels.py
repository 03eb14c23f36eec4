"""Short labels for ids of identities and resources."""


def get_id_account(key: str) -> str:
    """Return the AWS account of an IAM ARN; empty for other ids."""
    parts = key.split(":", 5)
    is_identity = len(parts) == 6 and parts[0] == "arn" and parts[2] == "iam"
    return parts[4] if is_identity and " " not in key else ""


def shorten_identity(key: str) -> str:
    """Return the resource part of an IAM ARN; empty for other ids."""
    parts = key.split(":", 5)
    is_identity = len(parts) == 6 and parts[0] == "arn" and parts[2] in ("iam", "sts")
    return parts[5] if is_identity else ""


def shorten_resource(resource: str) -> str:
    """Return a resource without the prefix `arn:aws:`."""
    return resource.removeprefix("arn:aws:")
