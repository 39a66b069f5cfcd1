-- Gives a living record a new time to live. KEYS: record, T@ids, T@log, T@expires. ARGV: id, ttl (milliseconds, or '-' for none).
-- Replies 1, 0 (no such record), or {'wrongtype', key, found} with nothing written.
local found = call('TYPE', KEYS[1]).ok
if found == 'none' then return 0 end
if found ~= 'hash' then return {'wrongtype', KEYS[1], found} end
local refused = wrong(KEYS[4], 'zset')
if refused then return refused end
keep_for(0, ARGV[1], ARGV[2])
purge(string.sub(KEYS[2], 1, -4), clock(), 16)
return 1
