"""Write fictional sample data: a home, a repository, an AWS account, an audit log.

All of it is fictional and labelled as a sample. `write_sample` writes it, the demo uses
it, and a test runs the documented commands on it.
"""

from answerable.cli.sample.write_sample import SampleData, write_sample

__all__ = ["SampleData", "write_sample"]
