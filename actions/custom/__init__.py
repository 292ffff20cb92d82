"""Your own actions, one folder each: `actions/custom/<name>/`."""
