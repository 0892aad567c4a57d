"""What an app holds on an event loop, and how it ends."""
