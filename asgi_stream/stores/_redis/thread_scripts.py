"""The Lua scripts of threads: their records, and the queues of the runs that claim them.

A claim in a queue is a token of 32 characters, followed by the id of its run. It is alive as long
as its lease exists, whose key is a prefix and the token: a claim that nobody renews, for whatever
reason, ends by itself. The first 8 characters of the token are the attempt of the run.
"""

from __future__ import annotations

from .scripts import Script

__all__ = [
    *("CLAIM", "CREATE", "DELETE", "EVICTED", "FIND", "KEEP", "LIST", "SWAP", "THREAD_SCRIPTS"),
]

EVICTED = b"evicted"
"""The value of a lease whose run shall end."""

_QUEUE = """
local function is_alive(leases, claim)
  return redis.call('EXISTS', leases .. string.sub(claim, 1, 32)) == 1
end

-- Remove the claims in front that have ended. Returns the first of the others.
local function first(leases, queue)
  while true do
    local claim = redis.call('LINDEX', queue, 0)
    if not claim or is_alive(leases, claim) then return claim end
    redis.call('LPOP', queue)
  end
end
"""

_RECORD = (
    _QUEUE
    + """
local function busy(leases, queue) return first(leases, queue) and 1 or 0 end

-- May be called again for the same record: the first reply was lost, or a command was refused.
local function write(record, list, thread, data, updated, milliseconds, records)
  if milliseconds == '' then
    redis.call('SET', record, data)
    redis.call('PERSIST', list)
  else
    redis.call('SET', record, data, 'PX', milliseconds)
  end
  redis.call('ZADD', list, updated, thread)
  -- Each write removes as many as it may have added, and one more.
  for _, other in ipairs(redis.call('ZRANGE', list, 0, 1)) do
    if redis.call('EXISTS', records .. other) == 0 then redis.call('ZREM', list, other) end
  end
  if milliseconds ~= '' then redis.call('PEXPIRE', list, milliseconds) end
end
"""
)

CREATE = Script(
    _RECORD
    + """
local record, list = unpack(KEYS)
local current = redis.call('GET', record)
if current and current ~= ARGV[2] then return 0 end
write(record, list, unpack(ARGV))
return 1
"""
)
"""Write a record unless there is one.

KEYS: record, list. ARGV: thread, record, when it was updated, milliseconds to live or '', prefix of
the records of its scope.

Returns 1; 0 if there is another record.
"""

SWAP = Script(
    _RECORD
    + """
local record, list, queue = unpack(KEYS)
local leases, old = ARGV[1], ARGV[2]
local current = redis.call('GET', record) or ''
if current ~= old and current ~= ARGV[4] then return {0, current} end
write(record, list, unpack(ARGV, 3))
return {1, busy(leases, queue)}
"""
)
"""Replace a record, or write the first.

KEYS: record, list, queue. ARGV: prefix of leases, the record that is replaced or '', and what
`CREATE` has.

Returns 1 and whether the thread is claimed; 0 and the current record if that is another one.
"""

FIND = Script(
    _RECORD
    + """
return {redis.call('GET', KEYS[1]), busy(ARGV[1], KEYS[2])}
"""
)
"""KEYS: record, queue. ARGV: prefix of leases. Returns the record and whether it is claimed."""

LIST = Script(
    _RECORD
    + """
local leases, records, queues = unpack(ARGV, 1, 3)
local reply = {}
for n = 4, #ARGV do
  local data = redis.call('GET', records .. ARGV[n])
  if data then
    reply[#reply + 1] = {data, busy(leases, queues .. ARGV[n])}
  else
    redis.call('ZREM', KEYS[1], ARGV[n])
  end
end
return reply
"""
)
"""Return what `FIND` does for some threads of a scope; forget those that have no record any more.

KEYS: list. ARGV: prefix of leases, prefixes of the records and queues of the scope, thread...
"""

DELETE = Script(
    """
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
"""
)
"""KEYS: record, list. ARGV: thread. Returns 1; 0 if there is no record."""

CLAIM = Script(
    _QUEUE
    + """
local queue, lease = unpack(KEYS)
local claim, leases, milliseconds, life, wait, evict = unpack(ARGV)
local run = string.sub(claim, 33)
for at, other in ipairs(redis.call('LRANGE', queue, 0, -1)) do
  local earlier = leases .. string.sub(other, 1, 32)
  local state = other ~= claim and string.sub(other, 33) == run and redis.call('GET', earlier)
  if state then
    if string.sub(other, 1, 8) > string.sub(claim, 1, 8) then return {run} end
    -- The run's own, by another worker perhaps. If it has been evicted, the run still ends.
    redis.call('LSET', queue, at - 1, claim)
    redis.call('SET', lease, state, 'PX', milliseconds)
    redis.call('DEL', earlier)
  end
end
local is_free = not first(leases, queue)
if not redis.call('LPOS', queue, claim) and (is_free or wait == '1') then
  redis.call('RPUSH', queue, claim)
  redis.call('SET', lease, '', 'PX', milliseconds)
  redis.call('PEXPIRE', queue, life)
end
local before = {}
for _, other in ipairs(redis.call('LRANGE', queue, 0, -1)) do
  if other == claim then break end
  if is_alive(leases, other) then
    before[#before + 1] = string.sub(other, 33)
    if evict == '1' then
      redis.call('SET', leases .. string.sub(other, 1, 32), 'evicted', 'KEEPTTL')
    end
  end
end
if #before > 0 and wait ~= '1' then
  redis.call('LREM', queue, 1, claim)
  redis.call('DEL', lease)
end
return before
"""
)
"""Claim a thread, behind the claims that it has, or in the place of one of the same run.

KEYS: queue, lease of the claim. ARGV: claim, prefix of leases, milliseconds of the lease,
milliseconds to live of the queue, '1' to wait if there are others, '1' to evict those.

Returns the runs that claimed it before. If there are any, it is claimed only with '1' to wait. If
the run itself has, with a later attempt, only that run, and it is not claimed.
"""

KEEP = Script(
    _QUEUE
    + """
local queue, lease = unpack(KEYS)
local claim, leases, milliseconds, life, restore = unpack(ARGV)
if redis.call('EXISTS', lease) == 1 then
  redis.call('PEXPIRE', lease, milliseconds)
elseif redis.call('LPOS', queue, claim) then
  redis.call('SET', lease, '', 'PX', milliseconds)
elseif restore == '1' and not first(leases, queue) then
  redis.call('RPUSH', queue, claim)
  redis.call('SET', lease, '', 'PX', milliseconds)
end
first(leases, queue)
redis.call('PEXPIRE', queue, life)
return 1
"""
)
"""Renew the lease of a claim, unless another run has taken the thread after the lease expired.

KEYS: queue, lease. ARGV: claim, prefix of leases, milliseconds of the lease, milliseconds to live
of the queue, '1' to claim a thread anew that nobody claims: Redis has lost the claim.
"""

THREAD_SCRIPTS = (CREATE, SWAP, FIND, LIST, DELETE, CLAIM, KEEP)
