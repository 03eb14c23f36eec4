"""Google Cloud role connector: reads role definitions, and the packaged catalogue."""
