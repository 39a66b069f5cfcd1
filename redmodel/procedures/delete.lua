-- Deletes one record and every trace of it. KEYS: record, T@ids, T@log, T@expires. ARGV: id, and perhaps the version that it must have.
-- Replies 1 (it was there), 0 (it was not), or {why, ...} with nothing written.
local refused = look_doomed(0, ARGV[1], nil, ARGV[2])
if refused then return refused end
local existed = call('DEL', KEYS[1])
local side = string.sub(KEYS[2], 1, -4)
drop(side, ARGV[1])
if call('EXISTS', KEYS[4]) == 1 then purge(side, clock(), 16) end
return existed
