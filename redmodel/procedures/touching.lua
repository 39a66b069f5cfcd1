-- Gives a record a time to live in milliseconds, or none ('-'). KEYS from k + 1 on are those of touch.lua.
local function keep_for(k, id, ttl)
  local record, expires = KEYS[k + 1], KEYS[k + 4]
  if ttl == '-' then
    call('PERSIST', record)
    call('ZREM', expires, id)
  else
    local deadline = digits(clock() + ttl)
    call('ZADD', expires, deadline, id)
    call('PEXPIREAT', record, deadline)
  end
end
