"""The parts of the `mcp` format: messages, results, and elicitation."""
