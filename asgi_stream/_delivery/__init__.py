"""From events to a reader: the pump that encodes events, and the response that sends frames."""
