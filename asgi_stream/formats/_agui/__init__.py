"""The parts of the `agui` format: requests, messages, interrupts, and its reverse."""
