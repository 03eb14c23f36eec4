"""Event sources of this product, and prefixes of the names of their recorders."""

SOURCE = "gateway"  # source of a gateway's events
STS = "sts"  # source of a token service's events
STS_PREFIX = "sts-"  # prefix of its recorder names
PDP = "pdp"  # source of a decision point's events
PDP_PREFIX = "pdp-"  # prefix of its recorder names
HOOK = "hook"  # source of a client hook's events
HOOK_PREFIX = "hook-"  # prefix of its recorder names
WEB = "web"  # source of the web page's events
WEB_PREFIX = "web-"  # prefix of its recorder names
