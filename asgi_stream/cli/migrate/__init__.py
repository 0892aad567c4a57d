"""``asgi-stream migrate``: rewrites the source of an app that another package serves."""
