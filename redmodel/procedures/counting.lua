-- Adds to a number of one record; KEYS from k + 1 to last_key and ARGV from a + 1 on are those of increment.lua, and so is
-- the reply. In a transaction it runs in a coroutine and pauses twice: before it writes, and when the new value stands, to
-- be told whether to 'undo' it.
local function count(k, last_key, a, pause)
  local record, ids, log, index = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], k + 5 <= last_key and KEYS[k + 5]
  local id = string.sub(record, #ids - 2)
  local nonce, field, amount, kind = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local least, most, version = ARGV[a + 5], ARGV[a + 6], ARGV[a + 7]

  local found = call('TYPE', record).ok
  if found == 'none' then return {'missing'} end
  if found ~= 'hash' then return {'wrongtype', record, found} end
  local current = try('HGET', log, id)
  if type(current) == 'table' then return wrong(log, 'hash') end
  local value = call('HGET', record, field)
  local before = version ~= '' and call('HGET', record, '@version') or ''
  if current and value and string.sub(current, 1, 8) == nonce then return {'done', value, string.sub(before, 17)} end
  if not value then return {'null'} end
  local side = string.sub(ids, 1, -4)
  local lacks, refused = lacking(side, nonce)
  refused = refused or index and wrong(index, 'zset')
  if refused then return refused end
  if pause then pause() end

  local new = try(kind == 'i' and 'HINCRBY' or 'HINCRBYFLOAT', record, field, amount)
  if type(new) == 'table' then
    for _, why in ipairs({'value is not', 'overflow', 'NaN'}) do
      if string.find(tostring(new.err), why, 1, true) then return {'refused', value} end
    end
    return new
  end
  local number, against = tonumber(new), nil
  if (least ~= '' and number < tonumber(least)) or (most ~= '' and number > tonumber(most)) then
    against = 'bounds'
  elseif index and kind == 'i' and (number > 9007199254740992 or number < -9007199254740992) then
    against = 'inexact'
  end
  if against or (pause and pause() == 'undo') then
    call('HSET', record, field, value)
    return {against, value}
  end
  new = call('HGET', record, field)
  if pause then current = call('HGET', log, id) end -- the record may be saved by the same transaction
  call('HSET', log, id, nonce .. 'u' .. (current and string.sub(current, 10) or ''))
  if lacks ~= '' then wait(side, id, lacks) end
  if index then call('ZADD', index, new, id) end
  if version ~= '' then call('HSET', record, '@version', version .. string.sub(before, 1, 16)) end
  return {'done', new, string.sub(before, 1, 16)}
end
