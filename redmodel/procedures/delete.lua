-- Deletes one record and every trace of it. KEYS: record, T@ids, T@log, T@expires. ARGV: id.
-- Replies 1 (it was there), 0 (it was not), or {'wrongtype', key, found} with nothing written.
local record, ids, log, expires = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id = ARGV[1]
local side = string.sub(ids, 1, -4)

local function check(key, want)
  local found = call('TYPE', key).ok
  if found ~= want and found ~= 'none' then
    return {'wrongtype', key, found}
  end
end

local wrong = check(record, 'hash') or check(ids, 'set') or check(log, 'hash') or check(expires, 'zset')
if wrong then return wrong end
local current = call('HGET', log, id)
if current then
  for kind, path, token in string.gmatch(string.sub(current, 10), ENTRY) do
    local key = kind == '=' and side .. path .. ':' .. token or side .. path
    wrong = check(key, kind == '=' and 'set' or kind == '#' and 'zset' or 'hash')
    if wrong then return wrong end
  end
end
local existed = call('DEL', record)
drop(side, id)
if call('EXISTS', expires) == 1 then purge(side, clock(), 16) end
return existed
