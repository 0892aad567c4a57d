"""The parts of the `langgraph` format: both of its protocols, and its documents."""
