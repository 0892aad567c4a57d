"""What a Runnable takes and returns: checked, and described as JSON Schema."""
