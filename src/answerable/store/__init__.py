"""Evidence store on disk: the only package that opens its files or runs SQL on it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from answerable.store.bucket import Bucket

# The function that opens `s3://BUCKET/PREFIX`, where a program has set one: the store
# does not know a cloud's client.
bucket_openers: "list[Callable[[str], Bucket]]" = []
