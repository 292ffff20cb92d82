"""From the text of a workflow to its checked definition, and to schema and reference made of the
same tables. Pure.

Others call `document.parse` and read a `definition.Definition`.
"""
