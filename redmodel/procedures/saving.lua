-- Saves one record; KEYS from k + 1 to last_key and ARGV from a + 1 on are those of save.lua, and so is the reply.
-- Where several records are written as one, each runs in a coroutine and pauses three times: when it has seen which
-- entries it gives up ('left', a list of {kind, path, token}), when all is checked, and, nothing being refused, when its
-- old entries are gone. `given` and `claimed` say then which unique values the others give up and take: 'key \31 token'
-- -> id.
local VALUED = {[35] = true, [116] = true, [119] = true} -- '#', 't', 'w'
local function save(k, last_key, a, pause, given, claimed)
  local record, ids, log, expires = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4]
  local id, side = string.sub(record, #ids - 2), string.sub(ids, 1, -4)
  local nonce, mode, only, version = string.match(ARGV[a + 1], '^(........)(.)(.)(.*)$')
  local ttl, sets, clears, expiries, paths, guards =
    string.match(ARGV[a + 2], '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  local whole = mode ~= 'p'

  local found = call('TYPE', record).ok
  if found ~= 'hash' and found ~= 'none' then return {'wrongtype', record, found} end
  local alive = found == 'hash'
  local current = try('HGET', log, id)
  if type(current) == 'table' then return wrong(log, 'hash') end
  if alive and current and string.sub(current, 1, 8) == nonce then
    return string.sub(current, 9, 9) == 'c' and 1 or 0
  end
  local lacks, unknown = lacking(side, nonce)
  if unknown then return unknown end
  if alive and only == 'n' then return {'exists'} end
  if not alive and (only == 'x' or not whole) then return {'missing'} end
  local last_guard = a + 2 + sets + clears + expiries + paths + guards
  for i = last_guard - guards + 1, last_guard, 2 do
    local held = call('HGET', record, ARGV[i])
    if held and ARGV[i] == '@version' then
      if string.sub(held, 17) == version then return 0 end -- written here, and once more by another
      held = string.sub(held, 1, 16)
    end
    if ARGV[i + 1] ~= (held and '=' .. held or '-') then
      return {'moved', digits(clock()), call('HGETALL', record)}
    end
  end
  local before = version ~= '' and call('HGET', record, '@version') or ''

  -- A record that was never there, and one that keeps its time to live, have nothing to do with expiry.
  local timed = ttl ~= 'k' and (ttl ~= '-' or alive or current)
  local expiry = timed and call('TYPE', expires).ok
  if expiry and expiry ~= 'zset' and expiry ~= 'none' then return {'wrongtype', expires, expiry} end

  local last_set = a + 2 + sets
  local last_clear = last_set + clears
  local last_expiry = last_clear + expiries
  local last_path = last_expiry + paths
  local at, joins = last_guard, {}
  for i = k + 5, last_key do
    at = at + 1
    joins[#joins + 1] = ARGV[at]
    if VALUED[string.byte(ARGV[at])] then at = at + 1 end
  end
  local joined = table.concat(joins)
  local kept, left = {}, nil
  if current then
    local dropped = {}
    for i = last_expiry + 1, last_path do dropped[ARGV[i]] = true end
    local joining = {}
    for i = 1, #joins do joining[joins[i]] = true end
    for entry, kind, path, token in string.gmatch(string.sub(current, 10), '((.)([^\31]*)\31([^\30]*)\30)') do
      if not whole and not dropped[path] or lacks ~= '' and string.find(lacks .. '\31', '\31' .. path .. '\31', 1, true) then
        kept[#kept + 1] = entry
      elseif not joining[entry] then
        left = left or {}
        left[#left + 1] = {kind, path, token}
      end
    end
  end
  if pause then pause(left) end

  local refused = pause and whole and wrong(ids, 'set')
  if refused then return refused end
  -- Of a record that was never there nothing stands in the indexes, so what is joined can be undone: the types of its keys
  -- need not be asked for first.
  local fresh = not pause and not alive and not current
  local dead
  at = last_guard
  for i = k + 5, last_key do
    at = at + 1
    local entry = ARGV[at]
    local kind = string.byte(entry)
    if kind == 33 then -- '!'
      local path, token = string.match(entry, '^.([^\31]*)\31([^\30]*)')
      local owner = try('HGET', KEYS[i], token)
      if type(owner) == 'table' then return wrong(KEYS[i], 'hash') end
      local place = pause and KEYS[i] .. '\31' .. token
      if owner and owner ~= id and not (pause and given[place] == owner) then
        if call('EXISTS', string.sub(side, 1, -2) .. ':' .. owner) == 1 then return {'unique', path, token, owner} end
        dead = dead or {}
        dead[#dead + 1] = owner
      end
      if pause then
        if claimed[place] and claimed[place] ~= id then return {'unique', path, token, claimed[place]} end
        claimed[place] = id
      end
    elseif kind == 61 then -- '='
      refused = not fresh and wrong(KEYS[i], 'set')
      if refused then return refused end
    elseif kind == 116 then -- 't'
      at = at + 1
      refused = not fresh and wrong(KEYS[i], 'hash')
      if refused then return refused end
    else
      if VALUED[kind] then at = at + 1 end
      refused = not fresh and wrong(KEYS[i], 'zset')
      if refused then return refused end
    end
  end
  if pause then pause() end

  -- The first write is one that a full server refuses, so that nothing is half written.
  local entered
  if whole then
    entered = try('SADD', ids, id)
    if type(entered) == 'table' then return wrong(ids, 'set') or entered end
  end
  local function join()
    local done = {}
    at = last_guard
    for i = k + 5, last_key do
      at = at + 1
      local kind, reply = string.byte(ARGV[at]), nil
      if kind == 61 then
        reply = try('SADD', KEYS[i], id)
      elseif kind == 33 then
        reply = call('HSET', KEYS[i], string.match(ARGV[at], '\31([^\30]*)'), id)
      elseif kind == 119 or kind == 116 then -- 'w', 't'
        at = at + 1
        reply = enter_text(side, id, KEYS[i], ARGV[at - 1], ARGV[at])
      elseif kind == 60 then -- '<'
        reply = try('ZADD', KEYS[i], 0, string.match(ARGV[at], '\31([^\30]*)') .. '\0' .. id)
      else
        at = at + 1
        reply = try('ZADD', KEYS[i], ARGV[at], id)
      end
      if type(reply) == 'table' then
        -- Another program holds the key: take back what was joined so far.
        at = last_guard
        for j = k + 5, i - 1 do
          at = at + 1
          local path, token = string.match(ARGV[at], '^.([^\31]*)\31([^\30]*)')
          if done[j] == 1 then leave(side, id, string.sub(ARGV[at], 1, 1), path, token) end
          if VALUED[string.byte(ARGV[at])] then at = at + 1 end
        end
        if entered == 1 then call('SREM', ids, id) end
        return wrong(KEYS[i], entry_type(string.char(kind))) or reply
      end
      done[i] = reply
    end
  end
  if fresh then
    refused = join()
    if refused then return refused end
  end
  call('HSET', log, id, nonce .. (alive and 'u' or 'c') .. table.concat(kept) .. joined)
  if lacks ~= '' then wait(side, id, lacks) end
  if dead then
    for i = 1, #dead do drop(side, dead[i]) end
  end
  if left then
    for i = 1, #left do leave(side, id, left[i][1], left[i][2], left[i][3]) end
  end
  if pause then pause() end
  if not fresh then join() end
  if mode == 'r' and alive then call('DEL', record) end
  for i = a + 3, last_set, 1000 do
    call('HSET', record, unpack(ARGV, i, math.min(i + 999, last_set)))
  end
  for i = last_set + 1, last_clear, 1000 do
    call('HDEL', record, unpack(ARGV, i, math.min(i + 999, last_clear)))
  end
  if version ~= '' then call('HSET', record, '@version', version .. string.sub(before, 1, 16)) end

  local now
  if last_expiry > last_clear then
    now = clock()
    for i = last_clear + 1, last_expiry, 2 do
      call('HSET', record, ARGV[i], digits(now + ARGV[i + 1]))
    end
  end
  if timed then
    if ttl == '-' then
      if alive then call('PERSIST', record) end
      if expiry == 'zset' then call('ZREM', expires, id) end
    else
      now = now or clock()
      local deadline = string.byte(ttl) == 64 and string.sub(ttl, 2) or digits(now + ttl) -- '@'
      call('PEXPIREAT', record, deadline)
      call('ZADD', expires, deadline, id)
    end
    if expiry == 'zset' then purge(side, now or clock(), 16) end
  end
  return alive and 0 or 1
end
