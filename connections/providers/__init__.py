"""One folder per provider; see `connections.adapter` for the contract."""
