"""The same walk without effects: dry runs, back-tests and the tests of workflows.

The admin, the API and the command call `requests`, `backtest` and `workflow_tests`.
"""
