"""Routing: the table, and its routes bound to their app's defaults."""
