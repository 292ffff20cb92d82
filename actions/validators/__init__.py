"""Validators: whether an answer may go out."""
