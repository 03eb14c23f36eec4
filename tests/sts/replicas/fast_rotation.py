"""`answerable serve` whose signing keys live seconds where they live hours.

Run as a script: FACTOR, then the words of the command. Whatever says how long a key is
published, signs, and may be kept by verifiers is divided by the factor, so that their
proportions stay. How long a token lives is as it is.
"""

import sys

from answerable.cli.main import main
from answerable.federation import key_rotation
from answerable.sts.endpoints import metadata_and_health

if __name__ == "__main__":
    factor = int(sys.argv[1])
    key_rotation.CACHE_MAX_AGE = metadata_and_health.CACHE_MAX_AGE = (
        key_rotation.CACHE_MAX_AGE // factor
    )
    key_rotation.LEAD_TIME //= factor
    key_rotation.KEY_LIFETIME = key_rotation.LEAD_TIME
    sys.argv = ["answerable", *sys.argv[2:]]
    sys.exit(main())
