"""The same walk without effects: dry runs, back-tests and the tests of workflows.

The admin and the API call `elsewhere`, which has the process for trials do them; commands call
`backtest` and `workflow_tests`.
"""
