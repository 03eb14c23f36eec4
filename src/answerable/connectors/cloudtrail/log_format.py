"""Log format of CloudTrail: log files, `lookup-events` responses and Lake rows."""

from answerable.connectors.cloudtrail.declaration import DECLARATION
from answerable.connectors.cloudtrail.parse.record_block import parse_record_block
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.connectors.formats.log_format import LogFormat

FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "CloudTrail",
    parse_record,
    parse_record_block,
    lists=("Records", "Events", "QueryResultRows"),
)
