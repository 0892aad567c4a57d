"""The streams and runs of an app on each event loop, and their end when the server stops."""
