"""The only place that runs LangChain: a Runnable in, events out."""
