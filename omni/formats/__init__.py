"""How dates look, by language (FORMAT_MODULE_PATH)."""
