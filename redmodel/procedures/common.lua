-- What the procedures share. A record's index log is 8 bytes of nonce, 1 of how it came to be ('c' created, 'u' updated),
-- then its index entries: kind path \31 token \30. Kinds: '=' the set of a token, '#' a sorted set, of a token where there is
-- one, '!' unique, '<' a text among others in order: its token is the text, and the member of T@path the token, NUL and the id;
-- 'w' a word, in the sorted set of it, all words being in T@path:~words; 't' a text, in the hash T@path as its length and its
-- words, the lengths adding up in the field ''. Of '#', 'w' and 't' a value follows wherever entries are given.
local call = redis.call
local ENTRY = '(.)([^\31]*)\31([^\30]*)\30'

local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function digits(n)
  return string.format('%.0f', n)
end

-- What another program has put in an index key's place is left alone: an error here would come after the first write.
local try = redis.pcall

-- The refusal of a key that holds another type; nil if it may be used.
local function wrong(key, want)
  local found = call('TYPE', key).ok
  if found ~= want and found ~= 'none' then return {'wrongtype', key, found} end
end

-- The key that an entry of this kind stands in, and the type of such a key.
local function entry_key(side, kind, path, token)
  if kind == '=' or kind == 'w' or (kind == '#' and token ~= '') then return side .. path .. ':' .. token end
  return side .. path
end

local function entry_type(kind)
  return kind == '=' and 'set' or (kind == '#' or kind == '<' or kind == 'w') and 'zset' or 'hash'
end

local function has_value(kind)
  return kind == '#' or kind == 'w' or kind == 't'
end

local function length_of(text)
  return type(text) == 'string' and tonumber(string.match(text, '^%d+')) or 0
end

-- Enters a word or a text; 1 if it was not there, or the error of a key of another type.
local function enter_text(side, id, key, entry, value)
  local path, token = string.match(entry, '^.([^\31]*)\31([^\30]*)')
  if string.sub(entry, 1, 1) == 'w' then
    local new = try('ZADD', key, value, id)
    if new == 1 then try('ZADD', side .. path .. ':~words', 0, token) end
    return new
  end
  local before = try('HGET', key, id)
  if type(before) == 'table' then return before end
  local new = call('HSET', key, id, value)
  try('HINCRBY', key, '', length_of(value) - length_of(before))
  return new
end

local function leave_text(side, id, kind, path, token)
  local key = entry_key(side, kind, path, token)
  if kind == 'w' then
    if try('ZREM', key, id) == 1 and call('EXISTS', key) == 0 then try('ZREM', side .. path .. ':~words', token) end
    return
  end
  local before = try('HGET', key, id)
  if type(before) ~= 'string' then return end
  call('HDEL', key, id)
  local rest = call('HLEN', key)
  if rest == 1 and call('HEXISTS', key, '') == 1 then
    call('DEL', key)
  elseif rest > 0 then
    try('HINCRBY', key, '', -length_of(before))
  end
end

local function leave(side, id, kind, path, token)
  if kind == '=' then
    try('SREM', entry_key(side, kind, path, token), id)
  elseif kind == '#' then
    try('ZREM', entry_key(side, kind, path, token), id)
  elseif kind == 'w' or kind == 't' then
    leave_text(side, id, kind, path, token)
  elseif kind == '<' then
    try('ZREM', entry_key(side, kind, path, token), token .. '\0' .. id)
  elseif try('HGET', side .. path, token) == id then
    try('HDEL', side .. path, token)
  end
end

-- The last 3 bytes of a nonce say which version of the model writes. T@schema knows of each version the paths that others
-- index and it does not, each behind \31; a version that is not registered there must be first, so this gives a refusal.
local function lacking(side, nonce)
  local field = string.format('writer:%02x%02x%02x', string.byte(nonce, 6, 8))
  local paths = try('HGET', side .. 'schema', field)
  if type(paths) == 'string' then return paths end
  return nil, paths and wrong(side .. 'schema', 'hash') or {'unregistered', side, field}
end

-- What this record's writer lacks waits in T@~path, to be entered before a query is answered from that index.
local function wait(side, id, lacks)
  for path in string.gmatch(lacks, '\31([^\31]*)') do try('ZADD', side .. '~' .. path, 0, id) end
end

-- Removes every trace of an id but its record.
local function drop(side, id)
  local log = try('HGET', side .. 'log', id)
  if type(log) == 'string' then
    for kind, path, token in string.gmatch(string.sub(log, 10), ENTRY) do
      leave(side, id, kind, path, token)
    end
    try('HDEL', side .. 'log', id)
  end
  try('SREM', side .. 'ids', id)
  try('ZREM', side .. 'expires', id)
end

-- Drops records whose time is over, at most `most` of them: sets can't expire members by themselves.
local function purge(side, now, most)
  local due = call('ZRANGEBYSCORE', side .. 'expires', '-inf', '(' .. digits(now), 'LIMIT', 0, most)
  local records = string.sub(side, 1, -2) .. ':'
  for i = 1, #due do
    local id = due[i]
    local left = call('PTTL', records .. id)
    if left == -2 then
      call('ZREM', side .. 'expires', id) -- first: where nothing can be written, this says so
      drop(side, id)
    elseif left == -1 then
      call('ZREM', side .. 'expires', id)
    else
      call('ZADD', side .. 'expires', digits(now + left), id)
    end
  end
end
