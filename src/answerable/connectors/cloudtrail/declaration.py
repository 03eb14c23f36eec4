"""Declare the CloudTrail connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

QUEUE_PREFIX = "sqs/"

DECLARATION = ConnectorDeclaration(
    name="cloudtrail",
    gives="events",
    location="FILE, DIR, - or sqs/QUEUE_URL,bucket=NAME[,list-days=N]",
    about="AWS CloudTrail records from files, folders, or S3 with an SQS queue",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: log files, output of "
        "lookup-events, CloudTrail Lake rows",
        "sqs/: the objects of the bucket that the messages of the queue name",
    ),
    # Only for sqs/.
    permissions=(
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",  # with list-days
    ),
    collects=("cloudtrail",),
    live_prefix=QUEUE_PREFIX,
)
