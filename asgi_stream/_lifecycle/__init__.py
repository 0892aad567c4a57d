"""What an app holds on each event loop, and how that ends when the server stops."""
