"""What the `mcp` format is made of: messages, results, and elicitation."""
