-- Writes what a model says about itself, unless somebody else has written it since it was read.
-- KEYS: T@schema. ARGV: the revision that was read ('' for none), how many fields go, their names, then fields and values.
-- Replies 1, or 0 with nothing written, or {'wrongtype', key, found}.
local schema, gone = KEYS[1], tonumber(ARGV[2])
local refused = wrong(schema, 'hash')
if refused then return refused end
if (call('HGET', schema, 'revision') or '') ~= ARGV[1] then return 0 end
for i = 3 + gone, #ARGV, 2 do call('HSET', schema, ARGV[i], ARGV[i + 1]) end
for i = 3, 2 + gone do call('HDEL', schema, ARGV[i]) end
return 1
