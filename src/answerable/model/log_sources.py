"""Names of log sources that code refers to, and the recorder name prefix of each."""

CLOUDTRAIL = "cloudtrail"
BEDROCK = "bedrock"  # source of Bedrock's model invocation logs
GATEWAY = "gateway"  # source of a gateway's events
STS = "sts"  # source of a token service's events
STS_PREFIX = "sts-"  # prefix of its recorder names
PDP = "pdp"  # source of a decision point's events
PDP_PREFIX = "pdp-"  # prefix of its recorder names
HOOK = "hook"  # source of a client hook's events
HOOK_PREFIX = "hook-"  # prefix of its recorder names
# Source of the events of credentials that agents get under a credential policy.
CREDENTIAL_BROKER = "credential-broker"
WEB = "web"  # source of the web page's events
WEB_PREFIX = "web-"  # prefix of its recorder names
# Sources of the events that this product records itself.
OWN_SOURCES = (GATEWAY, STS, PDP, HOOK, CREDENTIAL_BROKER, WEB)

# Sources that issue credentials to agents, and name their attested owners.
ISSUERS = (STS, CREDENTIAL_BROKER)

_SOURCE_OF_PREFIX = (
    (STS_PREFIX, STS),
    (PDP_PREFIX, PDP),
    (WEB_PREFIX, WEB),
    (HOOK_PREFIX, HOOK),
)


def get_log_source_of_recorder(recorder: str) -> str:
    """Return the log source of a recorder, from its name's prefix."""
    return next(
        (of for prefix, of in _SOURCE_OF_PREFIX if recorder.startswith(prefix)), GATEWAY
    )
