"""The store: raw payloads, neutral events, outcomes and what is derived from them."""
