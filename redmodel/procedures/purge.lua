-- Drops records whose time is over. KEYS: T@ids, T@expires. ARGV: how many at most. Replies how many are still due.
local side = string.sub(KEYS[1], 1, -4)
local now = clock()
purge(side, now, tonumber(ARGV[1]))
return call('ZCOUNT', KEYS[2], '-inf', '(' .. digits(now))
