"""The input and output of Runnables: checked, and described as JSON Schema."""
