"""A run on a thread: its claim, what is new for the graph, its states and messages."""
