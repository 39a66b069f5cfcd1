-- Gives living records a new time to live. KEYS: T@ids, T@expires, then the records.
-- ARGV: ttl (milliseconds, or '-' for none), 's' for lives that only get longer (a record without an end keeps that) or 't'.
-- Replies how many are there, or {'wrongtype', key, found} with nothing written.
local ids, expires, ttl, longer = KEYS[1], KEYS[2], ARGV[1], ARGV[2] == 's' and ARGV[1] ~= '-'
local refused = wrong(expires, 'zset')
for i = 3, #KEYS do refused = refused or wrong(KEYS[i], 'hash') end
if refused then return refused end
local there = 0
for i = 3, #KEYS do
  local left = call('PTTL', KEYS[i])
  if left ~= -2 then
    there = there + 1
    if not longer or (left >= 0 and left < tonumber(ttl)) then
      keep_for(KEYS[i], expires, string.sub(KEYS[i], #ids - 2), ttl)
    end
  end
end
purge(string.sub(ids, 1, -4), clock(), 16)
return there
