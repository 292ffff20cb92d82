"""Guards: whether a run goes on. The wish calls them policies."""
