-- Whether a record and every trace of it may be deleted: nil, or the refusal. KEYS from k + 1 on are those of delete.lua. The
-- unique values that it gives up are put into `given` if there is one, as 'key \31 token' -> id.
local function look_doomed(k, id, given, version)
  local record, ids, log, expires = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4]
  local refused = wrong(record, 'hash') or wrong(ids, 'set') or wrong(log, 'hash') or wrong(expires, 'zset')
  if refused then return refused end
  local held = version and call('HGET', record, '@version')
  if held and string.sub(held, 1, 16) ~= version then return {'moved', digits(clock()), call('HGETALL', record)} end
  local current, side = call('HGET', log, id), string.sub(ids, 1, -4)
  if not current then return end
  for kind, path, token in string.gmatch(string.sub(current, 10), ENTRY) do
    local key = kind == '=' and side .. path .. ':' .. token or side .. path
    refused = wrong(key, kind == '=' and 'set' or kind == '#' and 'zset' or 'hash')
    if refused then return refused end
    if given and kind == '!' then given[key .. '\31' .. token] = id end
  end
end
