"""The parts of `asgi_stream.stores.redis.RedisStore`, and of the store of threads.

What is written to Redis:

* `keys`: the names of keys and channels.
* `scripts`: the Lua scripts.
* `commands`: the commands that write a run, its frames among them.
* `encoding`: records of runs and threads, and published frames, as bytes.

How it gets there:

* `connection`: one pipeline of commands; script loading; which server responds.
* `link`: the queue in front of it: batching, retries, timeouts.
* `pubsub`: the subscriptions of a worker.
* `errors`: what the exceptions of redis-py mean.

What a worker does:

* `owned_run`: a run that is produced here, and the frames held for recovery.
* `creation`: start a run: claim its key, count its quota, take its lease.
* `append`: write frames until they are stored or cannot be.
* `lookup`: find runs, read pages of frames.
* `readers`: who reads which run, on this worker and on others.
* `health`: whether Redis has lost data, and which leases are missing.
* `backlog`, `recovery`: hold frames, and write them again after a loss.
* `worker`: ties these together on one event loop, and renews leases each second.

What `asgi_stream.stores.redis_threads.RedisThreadStore` has besides:

* `thread_scripts`: the Lua scripts for records and claims.
* `thread_claims`: the claims of one event loop: renews leases, and looks whose turn it is.
"""

from __future__ import annotations

try:
    import redis  # noqa: F401 - fails here, with a hint, before any module below needs it
except ImportError as error:  # pragma: no cover - installed wherever tests run
    raise ImportError(
        'a store on Redis needs the redis package: pip install "asgi_stream[redis]"'
    ) from error
