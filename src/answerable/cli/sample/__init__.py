"""Sample data: a home, a repository, an AWS account and its audit log.

Everything in it is made up, labelled as a sample where it lies, and written by
`write_estate`. The demo runs on it, and the commands shown in the documentation are
run on it by a test.
"""

from answerable.cli.sample.write import Estate, write_estate

__all__ = ["Estate", "write_estate"]
