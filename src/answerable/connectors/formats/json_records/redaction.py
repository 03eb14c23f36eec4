"""Remove secret values from quarantined records, and keep everything else."""

import re2

# A session token stands in the answers of STS; the rest should never stand in a
# record, and a copy of one is not where a secret may come to rest. The quotes are
# escaped where the record is carried as text. A value that the end of the bytes cuts
# short goes too.
_SECRET = re2.compile(
    rb"(?i)(\\*\"(?:sessionToken|secretAccessKey|secretKey|secretString|secretBinary"
    rb"|password|newPassword|oldPassword|masterUserPassword|authorizationToken"
    rb"|clientSecret|privateKey|privateKeyData|token|accessToken|refreshToken|idToken|webIdentityToken"
    rb"|sAMLAssertion|signinToken|tokenCode)\\*\"\s*:\s*)"
    rb"(?:\\+\"[^\"\\]*(?:\\+\"|\\)?|\"(?:[^\"\\]|\\.)*\"?)"
)


def redact_secrets(raw: bytes) -> bytes:
    """Remove secret values from the bytes of a record."""
    return bytes(_SECRET.sub(rb"\1null", raw))
