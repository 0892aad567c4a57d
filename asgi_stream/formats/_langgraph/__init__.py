"""What the `langgraph` format is made of: both of its protocols, and its documents."""
