"""Runs that outlive their readers: recorded in a store, and read from there."""
