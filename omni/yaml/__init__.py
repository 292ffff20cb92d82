"""The safe YAML profile of every document: plain data, with the line and column of each part. Pure.

Others call `reading` and show the marks and errors it gives.
"""
