"""What happens with workflows while events come: an event meets them (`route`), a run is walked
(`run`), workers do it (`work`), and runs wait (`waits`).

Trials walk with the same `run.execution`; versions ask `route.matching`.
"""
