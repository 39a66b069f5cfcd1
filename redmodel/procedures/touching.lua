-- Gives a record a time to live in milliseconds, or none ('-').
local function keep_for(record, expires, id, ttl)
  if ttl == '-' then
    call('PERSIST', record)
    call('ZREM', expires, id)
  else
    local deadline = digits(clock() + ttl)
    call('ZADD', expires, deadline, id)
    call('PEXPIREAT', record, deadline)
  end
end
