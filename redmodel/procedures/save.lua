-- Saves one record with its index entries: everything is checked first, then everything is written.
-- KEYS: record, T@ids, T@log, T@expires, then one key for each entry to join.
-- ARGV: id, nonce, mode, ttl, then four counted lists: field value ... to set; fields to clear; column ms ... of fields that
-- expire; paths whose old entries go; then the entries to join: kind path token score.
-- mode: 'w' whole, 'p' partial (of a record that was loaded); 'n' only if new, 'x' only if it exists; '-' either.
-- ttl: '' keeps what is there, '-' none, else milliseconds.
-- Replies 1 (created), 0 (updated), or {why, ...} with nothing written.
local record, ids, log, expires = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, nonce, mode, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local side = string.sub(ids, 1, -4)
local whole = string.sub(mode, 1, 1) == 'w'
local only = string.sub(mode, 2, 2)

local function check(key, want)
  local found = call('TYPE', key).ok
  if found ~= want and found ~= 'none' then
    return {'wrongtype', key, found}
  end
end

local found = call('TYPE', record).ok
if found ~= 'hash' and found ~= 'none' then
  return {'wrongtype', record, found}
end
local alive = found == 'hash'
local current = try('HGET', log, id)
if type(current) == 'table' then return check(log, 'hash') end
if alive and current and string.sub(current, 1, 8) == nonce then
  return string.sub(current, 9, 9) == 'c' and 1 or 0
end
if alive and only == 'n' then return {'exists'} end
if not alive and (only == 'x' or not whole) then return {'missing'} end

local at = 5
local function list()
  local first, last = at + 1, at + tonumber(ARGV[at])
  at = last + 1
  return first, last
end
local set_first, set_last = list()
local clear_first, clear_last = list()
local expire_first, expire_last = list()
local path_first, path_last = list()

-- A record that was never there, and one that keeps its time to live, have nothing to do with expiry.
local timed = ttl ~= '' and (ttl ~= '-' or alive or current)
local wrong = timed and check(expires, 'zset')
if wrong then return wrong end

local dropped = {}
for i = path_first, path_last do dropped[ARGV[i]] = true end
local want, joined, dead = {}, {}, {}
local records = string.sub(record, 1, #record - #id)
for i = 5, #KEYS do
  local kind, path, token = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local entry = kind .. path .. '\31' .. token .. '\30'
  want[entry] = true
  joined[#joined + 1] = entry
  at = at + 4
  if kind == '!' then
    local owner = try('HGET', KEYS[i], token)
    if type(owner) == 'table' then return check(KEYS[i], 'hash') end
    if owner and owner ~= id then
      if call('EXISTS', records .. owner) == 1 then return {'unique', path, token, owner} end
      dead[#dead + 1] = owner
    end
  else
    wrong = check(KEYS[i], kind == '=' and 'set' or 'zset')
    if wrong then return wrong end
  end
end
local kept, left = {}, {}
if current then
  for kind, path, token in string.gmatch(string.sub(current, 10), ENTRY) do
    local entry = kind .. path .. '\31' .. token .. '\30'
    if whole or dropped[path] then
      if not want[entry] then left[#left + 1] = {kind, path, token} end
    else
      kept[#kept + 1] = entry
    end
  end
end

-- The first write is one that a full server refuses, so that nothing is half written.
if whole then
  local done = try('SADD', ids, id)
  if type(done) == 'table' then return check(ids, 'set') or done end
end
call('HSET', log, id, nonce .. (alive and 'u' or 'c') .. table.concat(kept) .. table.concat(joined))
for i = 1, #dead do drop(side, dead[i]) end
for i = 1, #left do leave(side, id, left[i][1], left[i][2], left[i][3]) end
at = at - 4 * #joined
for i = 5, #KEYS do
  local kind = ARGV[at]
  if kind == '=' then
    call('SADD', KEYS[i], id)
  elseif kind == '#' then
    call('ZADD', KEYS[i], ARGV[at + 3], id)
  else
    call('HSET', KEYS[i], ARGV[at + 2], id)
  end
  at = at + 4
end
for i = set_first, set_last, 1000 do
  call('HSET', record, unpack(ARGV, i, math.min(i + 999, set_last)))
end
for i = clear_first, clear_last, 1000 do
  call('HDEL', record, unpack(ARGV, i, math.min(i + 999, clear_last)))
end

local now
if expire_last >= expire_first then
  now = clock()
  for i = expire_first, expire_last, 2 do
    call('HSET', record, ARGV[i], digits(now + ARGV[i + 1]))
  end
end
if timed then
  now = now or clock()
  if ttl == '-' then
    if alive then call('PERSIST', record) end
    call('ZREM', expires, id)
  else
    local deadline = digits(now + ttl)
    call('PEXPIREAT', record, deadline)
    call('ZADD', expires, deadline, id)
  end
  purge(side, now, 16)
end
return alive and 0 or 1
