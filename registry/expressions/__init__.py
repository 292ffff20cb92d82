"""The expression language: a small part of Python's words, compiled once to closures. Pure.

Others call `expression.compile_expression`, `templates` for values with `${{ }}`, and the tables of
`names` and `functions`.
"""
