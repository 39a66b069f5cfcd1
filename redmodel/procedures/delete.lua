-- Deletes one record and every trace of it. KEYS: record, T@ids, T@log, T@expires. ARGV: id.
-- Replies 1 (it was there), 0 (it was not), or {'wrongtype', key, found} with nothing written.
local refused = look_doomed(0, ARGV[1])
if refused then return refused end
local existed = call('DEL', KEYS[1])
local side = string.sub(KEYS[2], 1, -4)
drop(side, ARGV[1])
if call('EXISTS', KEYS[4]) == 1 then purge(side, clock(), 16) end
return existed
