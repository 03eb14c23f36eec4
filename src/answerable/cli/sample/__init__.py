"""Sample data: a home, a repository, an AWS account and its audit log.

All of it is fictional and labelled as a sample. `write_estate` writes it, the demo uses
it, and a test runs the documented commands on it.
"""

from answerable.cli.sample.write_sample import Estate, write_estate

__all__ = ["Estate", "write_estate"]
