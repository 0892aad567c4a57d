"""The Lua scripts that run inside Redis, where a check and the write that depends on it are atomic.

Each script works on the keys of one run, or on one key, and may run again after a lost reply:
frames that are already there are recognized by their content.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["CHANGE", "FINISH", "OWN", "RUN_SCRIPTS", "TAKE", "WRITE", "Script"]


class Script:
    """A script, and the digest that runs it once it has been loaded.

    Args:
        source: Lua 5.1.
    """

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.digest = sha1(self.source, usedforsecurity=False).hexdigest().encode()


_LOG = """
local function number(n) return string.format('%.0f', n) end

-- The number of a log's newest entry (0 if there is none), and whether that is the run's last.
local function newest_of(log)
  local entry = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not entry then return 0, false end
  return tonumber(string.match(entry[1], '^%d+')), entry[2][3] ~= nil
end

-- Add the frames after ARGV[base], the first of which has the number `first`. `after` is the number
-- of the entry before it, less than first - 1 only across a gap. 1 if they are in the log now; 0 if
-- others are there, or the log is closed; -1 - n if the log ends at n, too early.
local function append(log, first, after, ending, base)
  local last = first + #ARGV - base - 1
  local newest, closed = newest_of(log)
  if newest < first - 1 and newest ~= after then return -1 - newest end
  if newest >= first then
    -- Written before, if the reply was lost. Only their writer can have trimmed some since.
    if newest > last or closed ~= (ending and newest == last) then return 0 end
    for _, entry in ipairs(redis.call('XRANGE', log, number(first), '+')) do
      local at = tonumber(string.match(entry[1], '^%d+'))
      if entry[2][2] ~= ARGV[base + 1 + at - first] then return 0 end
    end
  elseif closed then
    return 0
  end
  for at = math.max(first, newest + 1), last do
    local frame = ARGV[base + 1 + at - first]
    if ending and at == last then
      redis.call('XADD', log, number(at) .. '-0', 'f', frame, 'e', 1)
    else
      redis.call('XADD', log, number(at) .. '-0', 'f', frame)
    end
  end
  return 1
end

local function trim(log, keep_from)
  if keep_from ~= '1' then redis.call('XTRIM', log, 'MINID', '=', keep_from) end
end

-- A reader that does not hear of the frames looks for them each second, so errors may pass.
local function publish(channel, first, ending, base)
  if channel == '' then return end
  local sizes = {}
  for n = base + 1, #ARGV do sizes[n - base] = #ARGV[n] end
  local head = number(first) .. (ending and ' 1 ' or ' 0 ') .. table.concat(sizes, ' ') .. '\\n'
  redis.pcall('PUBLISH', channel, head .. table.concat(ARGV, '', base + 1))
end
"""

WRITE = Script(
    _LOG
    + """
local log, first = KEYS[1], tonumber(ARGV[1])
local done = append(log, first, first - 1, false, 3)
if done ~= 1 then return done end
trim(log, ARGV[2])
publish(ARGV[3], first, false, 3)
return 1
"""
)
"""Append frames to a log, and publish them.

KEYS: log. ARGV: number of the first frame, number of the oldest to keep, channel or '', frame...

Returns 1; 0 if the log has other frames or is closed; -1 - n if the log ends at n, before the frame
that the new ones follow.
"""

CHANGE = Script(
    _LOG
    + """
local log, run, lease, stop, origin = unpack(KEYS)
local first, after, keep_from, channel, ending, record, ttl = unpack(ARGV, 1, 7)
first, after, ending = tonumber(first), tonumber(after), ending == '1'
local done = append(log, first, after, ending, 7)
if done ~= 1 then return done end
trim(log, keep_from)
if record ~= '' then redis.call('SET', run, record, 'EX', ttl) end
redis.call('EXPIRE', log, ttl)
if ending then redis.call('DEL', lease, stop, origin) end
publish(channel, first, ending, 7)
return 1
"""
)
"""Like `WRITE`, but also replace the run's record, cross a gap, or end the run.

KEYS: log, record, lease, stop, origin. ARGV: number of the first frame, number of the one before,
number of the oldest to keep, channel or '', '1' if the last frame is the run's last, record or '',
seconds to live, frame...

Returns the same as `WRITE`.
"""

FINISH = Script(
    _LOG
    + """
local log, run, lease, stop, origin = unpack(KEYS)
local after, first, channel, record, ttl = unpack(ARGV, 1, 5)
after, first = tonumber(after), tonumber(first)
local newest, closed = newest_of(log)
if redis.call('EXISTS', lease) == 1 or closed or newest > after then return 0 end
append(log, first, newest, true, 5)
local life = math.max(redis.call('TTL', run), tonumber(ttl))
redis.call('SET', run, record, 'EX', life)
redis.call('EXPIRE', log, life)
redis.call('DEL', stop, origin)
publish(channel, first, true, 5)
return 1
"""
)
"""Write the last frames of a run that no worker owns.

KEYS: log, record, lease, stop, origin. ARGV: number of the newest known frame, number of the first
frame to write, channel, record, minimum seconds to live, frame...

Returns 1; 0 if a worker owns the run, it has ended, or it has newer frames.
"""

OWN = Script(
    _LOG
    + """
local log, run, lease, stop, origin = unpack(KEYS)
local worker, milliseconds, record, ttl, overwrite, extend = unpack(ARGV)
local holder = redis.call('GET', lease)
local newest, closed = newest_of(log)
if closed or (holder and holder ~= worker) then return 0 end
redis.call('SET', lease, worker, 'PX', milliseconds)
if overwrite == '1' or redis.call('EXISTS', run) == 0 then
  redis.call('SET', run, record, 'EX', ttl)
end
if extend == '1' then
  redis.call('EXPIRE', log, ttl)
  redis.call('EXPIRE', origin, ttl)
end
return {newest, redis.call('EXISTS', stop)}
"""
)
"""Take or renew the lease of a run.

KEYS: log, record, lease, stop, origin. ARGV: worker, milliseconds of the lease, record, seconds to
live, '1' to replace an existing record, '1' to extend the expiry of the log and the origin.

Returns the number of the newest frame and whether a stop has been requested; 0 if another worker
owns the run, or it has ended.
"""

TAKE = Script(
    _LOG
    + """
local log, run, lease, stop, origin = unpack(KEYS)
local after, worker, milliseconds, channel, record, ttl = unpack(ARGV, 1, 6)
after = tonumber(after)
local newest, closed = newest_of(log)
local holder = redis.call('GET', lease)
if closed or newest < after or (holder or worker) ~= worker then return 0 end
if not holder and newest > after then return 0 end
if append(log, after + 1, after, false, 6) ~= 1 then return 0 end
local life = math.max(redis.call('TTL', run), tonumber(ttl))
redis.call('SET', lease, worker, 'PX', milliseconds)
redis.call('SET', run, record, 'EX', life)
redis.call('EXPIRE', log, life)
redis.call('EXPIRE', origin, life)
publish(channel, after + 1, false, 6)
-- For readers elsewhere to look who produces the run now.
redis.pcall('PUBLISH', channel, '')
return redis.call('GET', origin) or ''
"""
)
"""Take the lease of a run that no worker owns, and append frames.

KEYS: log, record, lease, stop, origin. ARGV: number of the newest known frame, worker, milliseconds
of the lease, channel, record, seconds to live, frame...

Returns the origin, '' if there is none; 0 if a worker owns the run, it has ended, or it has newer
frames.
"""

RUN_SCRIPTS = (WRITE, CHANGE, FINISH, OWN, TAKE)
