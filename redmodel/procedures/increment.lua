-- Adds to a number in one field of a living record, and moves the record in that field's range index.
-- KEYS: record, T@ids, T@log, T@expires, then the sorted set of the index if there is one.
-- ARGV: nonce, field, amount, 'i' for whole numbers or 'f', least and most that the result may be ('' for no bound).
-- Replies {'done', new value}, or {why, ...} with nothing written.
local record, ids, log = KEYS[1], KEYS[2], KEYS[3]
local id = string.sub(record, #ids - 2)
local nonce, field, amount, kind, least, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local found = call('TYPE', record).ok
if found == 'none' then return {'missing'} end
if found ~= 'hash' then return {'wrongtype', record, found} end
local current = try('HGET', log, id)
if type(current) == 'table' then return wrong(log, 'hash') end
local value = call('HGET', record, field)
if not value then return {'null'} end
if current and string.sub(current, 1, 8) == nonce then return {'done', value} end
local refused = KEYS[5] and wrong(KEYS[5], 'zset')
if refused then return refused end

local command = kind == 'i' and 'HINCRBY' or 'HINCRBYFLOAT'
local function undo()
  call('HSET', record, field, value)
end
local new = try(command, record, field, amount)
if type(new) == 'table' then return {'refused', value} end
local number = tonumber(new)
if (least ~= '' and number < tonumber(least)) or (most ~= '' and number > tonumber(most)) then
  undo()
  return {'bounds', value}
end
if KEYS[5] and kind == 'i' and (number > 9007199254740992 or number < -9007199254740992) then
  undo()
  return {'inexact', value}
end
new = call('HGET', record, field)
call('HSET', log, id, nonce .. 'u' .. (current and string.sub(current, 10) or ''))
if KEYS[5] then call('ZADD', KEYS[5], new, id) end
return {'done', new}
