"""The rows of the event store and their only writers: archive, events, state, outcomes, files.

Others read the models; to write they call `ingest.persist` with `units`, `outcomes.record`,
`derive`, `merging`, `put_aside`, `media` and `notify`, and after a mapping was mended `replay`.
"""
