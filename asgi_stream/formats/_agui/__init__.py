"""What the `agui` format is made of: requests, messages, interrupts, and its reverse."""
