-- Gives a living record a new time to live. KEYS: record, T@ids, T@log, T@expires. ARGV: id, ttl (milliseconds, or '-' for none).
-- Replies 1, 0 (no such record), or {'wrongtype', key, found} with nothing written.
local record, ids, expires = KEYS[1], KEYS[2], KEYS[4]
local id, ttl = ARGV[1], ARGV[2]

local found = call('TYPE', record).ok
if found == 'none' then return 0 end
if found ~= 'hash' then return {'wrongtype', record, found} end
found = call('TYPE', expires).ok
if found ~= 'zset' and found ~= 'none' then return {'wrongtype', expires, found} end
local now = clock()
if ttl == '-' then
  call('PERSIST', record)
  call('ZREM', expires, id)
else
  local deadline = digits(now + ttl)
  call('ZADD', expires, deadline, id)
  call('PEXPIREAT', record, deadline)
end
purge(string.sub(ids, 1, -4), now, 16)
return 1
