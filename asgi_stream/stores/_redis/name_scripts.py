"""The Lua scripts for what leads to runs, and counts them: names, lists of an owner's, quotas."""

from __future__ import annotations

from .scripts import Script

__all__ = ["CLAIM", "COUNT", "LIST", "NAME", "NAME_SCRIPTS", "RELEASE"]

CLAIM = Script(
    """
local claim = '?' .. ARGV[1]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= claim and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], claim, 'PX', ARGV[2])
return claim
"""
)
"""Claim a name for a run that is about to begin. The claim expires unless `NAME` confirms it.

KEYS: name. ARGV: run, milliseconds, a holder that no longer exists, or ''.

Returns the run that has the name, prefixed with '?' if it has only claimed it.
"""

NAME = Script(
    """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= '?' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
)
"""Give a name to a run, unless another run has it. KEYS: name. ARGV: run, seconds to live."""

RELEASE = Script(
    """
if redis.call('GET', KEYS[1]) == '?' .. ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
)
"""Release a claim. KEYS: name. ARGV: run."""

LIST = Script(
    """
local time, ttl = redis.call('TIME'), tonumber(ARGV[2])
local now = time[1] + time[2] / 1000000
redis.call('ZADD', KEYS[1], string.format('%.3f', now + ttl), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now))
if redis.call('TTL', KEYS[1]) < ttl then redis.call('EXPIRE', KEYS[1], ttl) end
return 1
"""
)
"""List a run among its owner's, and remove those that have expired.

KEYS: sorted set. ARGV: run, seconds to live.
"""

COUNT = Script(
    """
local run, life, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
if limit and not redis.call('ZSCORE', KEYS[1], run) and redis.call('ZCARD', KEYS[1]) >= limit then
  return 0
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + life), run)
redis.call('PEXPIRE', KEYS[1], math.max(life, redis.call('PTTL', KEYS[1])))
return 1
"""
)
"""Count a run against a quota for as long as its lease.

KEYS: sorted set. ARGV: run, milliseconds of the lease, limit, or ''.

Returns 1; 0 if the limit is reached.
"""

NAME_SCRIPTS = (CLAIM, NAME, RELEASE, LIST, COUNT)
