"""The names of keys and channels on Redis."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode


class RunKeys(NamedTuple):
    """The keys of one run.

    Attributes:
        log: A stream. Each entry has a frame as ``f``; a run's last entry has an ``e`` too.
        record: The `RunRecord` as JSON.
        lease: The id of the worker that produces the run; expires unless renewed.
        stop: Exists if somebody has requested that the run stop.
        origin: What another worker needs to take the run over.
    """

    log: bytes
    record: bytes
    lease: bytes
    stop: bytes
    origin: bytes


class Keys:
    """Builds the names of keys and channels. Braces mark what a cluster hashes to one slot."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.server = self._key("server")
        """The Redis process whose data is known to be complete."""
        self.unsettled = self._key("unsettled")
        """Exists while workers may still have to rewrite what Redis has lost."""
        self.thread_leases = self._key("claim:")
        """Followed by the token of a claim: exists while the claim is alive."""
        self.thread_check = self._key("check:")
        """Followed by the name of what is written to check that it can be."""

    def of_run(self, run_id: str) -> RunKeys:
        parts = ("log", "run", "lease", "stop", "origin")
        return RunKeys(*(self._key(f"{{{run_id}}}:{part}") for part in parts))

    def name(self, name: str) -> bytes:
        """The id of the run that has this conversation id or idempotency key."""
        return self._key(f"name:{name}")

    def owner(self, owner: str) -> bytes:
        """A sorted set of an owner's runs, scored by when they expire."""
        return self._key(f"owned:{owner}")

    def quota(self, name: str) -> bytes:
        """A sorted set of unfinished runs, scored by when their leases expire."""
        return self._key(f"quota:{name}")

    def frames(self, run_id: str) -> bytes:
        """The channel that a run's new frames are published on."""
        return self._key(f"frames:{run_id}")

    def worker(self, worker_id: str) -> bytes:
        """The channel of messages to one worker."""
        return self._key(f"worker:{worker_id}")

    def threads(self, scope: str) -> bytes:
        """A sorted set of a scope's threads, scored by when they were updated."""
        return self._key(f"threads:{scope}")

    def thread_records(self, scope: str) -> bytes:
        """Followed by the id of a thread: its record as JSON."""
        return self._key(f"thread:{len(scope)}:{scope}:")

    def thread_queues(self, scope: str) -> bytes:
        """Followed by the id of a thread: a list of the claims of it, see `thread_scripts`."""
        return self._key(f"claims:{len(scope)}:{scope}:")

    def _key(self, name: str) -> bytes:
        return encode_text(f"{self._prefix}:{name}")


def encode_text(text: str) -> bytes:
    """Return any text as bytes: names may come from tokens, and JSON allows lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def decode_text(data: bytes) -> str:
    """Return the text that `encode_text` was called with."""
    return data.decode("utf-8", "surrogatepass")


def split_prefix(url: str) -> tuple[str, str]:
    """Split a URL into one that redis-py understands and the ``prefix`` of its query, if any."""
    base, question_mark, query = url.partition("?")
    if not question_mark:
        return url, ""
    options = parse_qsl(query, keep_blank_values=True)
    prefix = dict(options).get("prefix", "")
    rest = urlencode([option for option in options if option[0] != "prefix"])
    return f"{base}?{rest}" if rest else base, prefix
