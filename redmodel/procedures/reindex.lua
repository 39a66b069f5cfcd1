-- Gives one record the entries of some indexes anew, and some of its fields; nothing is done unless the record holds just
-- what the caller has seen. What waited in T@~path for these indexes is settled by it.
-- KEYS: record, T@ids, T@log, T@expires, then the key of each entry that the record should have in these indexes.
-- ARGV: nonce; 'columns paths sets clears', each counting what follows: columns, each followed by '+value' or '-' for none;
-- the paths; fields and values to set; fields to clear; then the entries, each as it stands in the log, followed by its
-- score if it is of a sorted set. No columns: the entries of a record that is gone, or of an index that is, are taken away.
-- Replies 'done', 'moved', 'gone', or {why, ...} with nothing written.
local record, ids, log = KEYS[1], KEYS[2], KEYS[3]
local id, side = string.sub(record, #ids - 2), string.sub(ids, 1, -4)
local columns, paths, sets, clears = string.match(ARGV[2], '^(%d+) (%d+) (%d+) (%d+)$')
local last_column = 2 + 2 * columns
local last_path = last_column + paths
local last_set = last_path + sets
local last_clear = last_set + clears

local refused = wrong(record, 'hash') or wrong(log, 'hash')
if refused then return refused end
local alive = call('EXISTS', record) == 1
for i = 3, last_column, 2 do
  local value = alive and call('HGET', record, ARGV[i])
  if alive and (value and '+' .. value or '-') ~= ARGV[i + 1] then return 'moved' end
end
local concerned = {}
for i = last_column + 1, last_path do concerned[ARGV[i]] = true end

local joining = {}
local at, joined, dead = last_clear, {}, {}
for i = 5, #KEYS do
  at = at + 1
  local entry = ARGV[at]
  joined[#joined + 1] = entry
  joining[entry] = true
  local kind, path, token = string.match(entry, ENTRY)
  refused = wrong(KEYS[i], entry_type(kind))
  if refused then return refused end
  if has_value(kind) then at = at + 1 end
  local owner = alive and kind == '!' and call('HGET', KEYS[i], token)
  if owner and owner ~= id then
    if call('EXISTS', string.sub(side, 1, -2) .. ':' .. owner) == 1 then return {'unique', path, token, owner} end
    dead[#dead + 1] = owner
  end
end

local current = call('HGET', log, id)
local kept, left = {}, {}
for entry, kind, path, token in string.gmatch(string.sub(current or '', 10), '((.)([^\31]*)\31([^\30]*)\30)') do
  if not concerned[path] then
    kept[#kept + 1] = entry
  elseif not alive or not joining[entry] then
    left[#left + 1] = {kind, path, token}
  end
end
if alive then
  local head = current and string.sub(current, 1, 9) or string.sub(ARGV[1], 1, 8) .. 'u'
  call('HSET', log, id, head .. table.concat(kept) .. table.concat(joined))
elseif current then
  call('HSET', log, id, string.sub(current, 1, 9) .. table.concat(kept))
end
for i = 1, #dead do drop(side, dead[i]) end
for i = 1, #left do leave(side, id, left[i][1], left[i][2], left[i][3]) end
if alive then
  at = last_clear
  for i = 5, #KEYS do
    at = at + 1
    local kind, _, token = string.match(ARGV[at], ENTRY)
    if kind == '=' then
      call('SADD', KEYS[i], id)
    elseif kind == '!' then
      call('HSET', KEYS[i], token, id)
    elseif kind == 'w' or kind == 't' then
      at = at + 1
      enter_text(side, id, KEYS[i], ARGV[at - 1], ARGV[at])
    elseif kind == '<' then
      call('ZADD', KEYS[i], 0, token .. '\0' .. id)
    else
      at = at + 1
      call('ZADD', KEYS[i], ARGV[at], id)
    end
  end
  for i = last_path + 1, last_set, 2 do call('HSET', record, ARGV[i], ARGV[i + 1]) end
  for i = last_set + 1, last_clear do call('HDEL', record, ARGV[i]) end
end
for i = last_column + 1, last_path do try('ZREM', side .. '~' .. ARGV[i], id) end
return alive and 'done' or 'gone'
