"""Runs LangChain Runnables and emits their events. Nothing outside of this package runs them."""
