-- Whether every trace of an id but its record may be removed: nil, or the refusal. The unique values that it gives up are put
-- into `given` if there is one, as 'key \31 token' -> id.
local function look_traces(side, id, given)
  local refused = wrong(side .. 'ids', 'set') or wrong(side .. 'log', 'hash') or wrong(side .. 'expires', 'zset')
  if refused then return refused end
  local current = call('HGET', side .. 'log', id)
  if not current then return end
  for kind, path, token in string.gmatch(string.sub(current, 10), ENTRY) do
    local key = entry_key(side, kind, path, token)
    refused = wrong(key, entry_type(kind))
    if refused then return refused end
    if given and kind == '!' then given[key .. '\31' .. token] = id end
  end
end

-- The same of a record, with its version if one is wanted. KEYS from k + 1 on are those of delete.lua.
local function look_doomed(k, id, given, version)
  local record = KEYS[k + 1]
  local refused = wrong(record, 'hash')
  if refused then return refused end
  local held = version and call('HGET', record, '@version')
  if held and string.sub(held, 1, 16) ~= version then return {'moved', digits(clock()), call('HGETALL', record)} end
  return look_traces(string.sub(KEYS[k + 2], 1, -4), id, given)
end
