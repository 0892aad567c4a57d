"""LangChain's callbacks, which become the events of a run."""
