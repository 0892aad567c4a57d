"""A route table in TOML."""
