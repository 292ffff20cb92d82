"""The rows of the event store and their only writers: archive, events, state, outcomes, files.

Others read the models; to write they call `ingest.persist`, `outcomes.record`, `media.fetch` and
`notify`, and after a mapping was mended `replay`.
"""
