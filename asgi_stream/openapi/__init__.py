"""The OpenAPI document of a route table (https://spec.openapis.org/oas/v3.1.1)."""

from .document import add_to_openapi, document

__all__ = ["add_to_openapi", "document"]
