"""Threads of conversations: list, read, write and delete them."""
