"""Data events: AWS calls that CloudTrail records only if the trail selects them.

Source: AWS CloudTrail User Guide, "Logging data events"; Amazon S3 User Guide,
"Amazon S3 CloudTrail events". If a trail holds no data events of a service, missing
calls on the content of its resources prove nothing.
"""

from answerable.model.action_catalogue import ActionCatalogue

# Actions with such a resource type act on the content of a resource.
_INSIDE = {"s3": "object"}
_NAMED = {
    "s3": ("listbucket", "listbucketversions", "listbucketmultipartuploads"),
    "lambda": ("invokefunction", "invokeasync", "invokefunctionurl"),
    "dynamodb": (
        "batchgetitem",
        "batchwriteitem",
        "conditioncheckitem",
        "deleteitem",
        "getitem",
        "getrecords",
        "getsharditerator",
        "partiqldelete",
        "partiqlinsert",
        "partiqlselect",
        "partiqlupdate",
        "putitem",
        "query",
        "scan",
        "updateitem",
    ),
    "sns": ("publish",),
    "sqs": (
        "changemessagevisibility",
        "deletemessage",
        "receivemessage",
        "sendmessage",
    ),
    "kinesis": (
        "getrecords",
        "getsharditerator",
        "putrecord",
        "putrecords",
        "subscribetoshard",
    ),
    "sagemaker": ("getrecord", "batchgetrecord", "putrecord", "deleterecord"),
    "bedrock": (
        "invokeagent",
        "invokeflow",
        "invokeinlineagent",
        "retrieve",
        "retrieveandgenerate",
        "applyguardrail",
    ),
    "ebs": (
        "getsnapshotblock",
        "listchangedblocks",
        "listsnapshotblocks",
        "putsnapshotblock",
    ),
    "cognito-identity": ("getid", "getopenidtoken", "getcredentialsforidentity"),
    "ssmmessages": ("createcontrolchannel", "createdatachannel", "opencontrolchannel"),
}


def is_cloudtrail_data_event(catalogue: ActionCatalogue, action: str) -> bool:
    """Return whether calls of an action are logged as data events.

    Args:
        catalogue: Catalogue with the action's service.
        action: `service:Action` in any case.
    """
    service, _, name = action.lower().partition(":")
    if name in _NAMED.get(service, ()):
        return True
    entry = catalogue.find_action(action)
    return entry is not None and _INSIDE.get(service, "") in entry.resource_types


def has_cloudtrail_data_events(service: str) -> bool:
    """Return whether some calls of a service are logged as data events."""
    return service in _NAMED or service in _INSIDE
