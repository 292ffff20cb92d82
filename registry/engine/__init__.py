"""What happens with workflows while events come: an event meets them (`route`), something else
starts them (`starts`), a run is walked (`run`), workers do it (`work`), and runs wait (`waits`).

The admin and the API call `starts.manual`, `starts.reruns`, `waits.approvals`, `waits.endings` and
`work.modes`; trials walk with the same `run.execution`, versions ask `route.matching`.
"""
