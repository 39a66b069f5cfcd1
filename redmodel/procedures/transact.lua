-- Does several operations as one: all is checked first, then all is written, or nothing.
-- KEYS: those of each operation, one after the other. ARGV: for each operation 'kind keys arguments', the last two counting
-- its own, then its arguments. kinds: 's' as save.lua, 'd' as delete.lua, 'i' as increment.lua, 't' as touch.lua, and
-- 'w', which changes nothing: its record (KEYS as of the others) must still have the nonce that its arguments, id and
-- nonce, name. No record is of two operations but of 'w' and, for different fields, of several 'i' and one partial 's'.
-- Replies {0, reply of each operation}, or {number of the operation refused, its refusal, numbers of all operations whose
-- record is missing} with nothing written.
local steps, given, claimed = {}, {}, {}
local pause = coroutine.yield

local k, a = 0, 1
while a <= #ARGV do
  local kind, keys, args = string.match(ARGV[a], '^(.) (%d+) (%d+)$')
  local step = {kind = kind, k = k, last_key = k + keys, a = a, args = tonumber(args)}
  steps[#steps + 1] = step
  k, a = k + keys, a + args + 1
end

-- Runs a step up to its next pause: what it says there, and whether it has ended.
local function go(step, ...)
  local thread = step.thread
  local fine, said = coroutine.resume(thread, ...)
  if not fine then error(said) end
  return said, coroutine.status(thread) == 'dead'
end

local refused, missing, done
local function refuse(n, why)
  refused = refused or {n, why}
  if why[1] == 'missing' then
    missing = missing or {}
    missing[#missing + 1] = n
  end
end

for n = 1, #steps do
  local step = steps[n]
  k, a = step.k, step.a
  local why
  if step.kind == 's' or step.kind == 'i' then
    step.thread = coroutine.create(step.kind == 's' and save or count)
    local said, ended = go(step, k, step.last_key, a, pause, given, claimed)
    if not ended then
      for i = 1, said and #said or 0 do
        local left = said[i]
        local key = string.sub(KEYS[k + 2], 1, -4) .. left[2]
        if left[1] == '!' then given[key .. '\31' .. left[3]] = string.sub(KEYS[k + 1], #KEYS[k + 2] - 2) end
      end
    elseif type(said) == 'number' or said[1] == 'done' then
      done = true -- the reply to this very transaction was lost
    else
      why = said
    end
  elseif step.kind == 'd' then
    why = look_doomed(k, ARGV[a + 1], given, step.args > 1 and ARGV[a + 2] or nil)
  else
    local record = KEYS[k + 1]
    why = wrong(record, 'hash') or wrong(KEYS[k + 3], 'hash') or wrong(KEYS[k + 4], 'zset')
    if not why and call('EXISTS', record) == 0 then
      why = {'missing'}
    elseif not why and step.kind == 'w' then
      local current = call('HGET', KEYS[k + 3], ARGV[a + 1])
      if string.sub(current or '', 1, 8) ~= ARGV[a + 2] then why = {'changed'} end
    end
  end
  if why then refuse(n, why) end
end

local replies = {}
if done then
  for n = 1, #steps do
    local step = steps[n]
    replies[n] = 1
    if step.kind == 's' then
      local id = string.sub(KEYS[step.k + 1], #KEYS[step.k + 2] - 2)
      local current = try('HGET', KEYS[step.k + 3], id)
      replies[n] = type(current) == 'string' and string.sub(current, 9, 9) == 'c' and 1 or 0
    elseif step.kind == 'i' then
      local value, version = unpack(call('HMGET', KEYS[step.k + 1], ARGV[step.a + 2], '@version'))
      replies[n] = {'done', value, ARGV[step.a + 7] ~= '' and string.sub(version or '', 17) or ''}
    end
  end
  return {0, replies}
end

for n = 1, #steps do
  if not refused and steps[n].kind == 's' then
    local said, ended = go(steps[n])
    if ended then refuse(n, said) end
  end
end
-- Numbers are added on trial: only Redis knows what comes of it. This is the first write, which a full server refuses.
local tried = {}
for n = 1, #steps do
  if not refused and steps[n].kind == 'i' then
    local said, ended = go(steps[n])
    if ended then
      for i = 1, #tried do go(tried[i], 'undo') end
      if said.err then return said end
      refuse(n, said)
    else
      tried[#tried + 1] = steps[n]
    end
  end
end
if refused then return {refused[1], refused[2], missing or {}} end

-- What a full server would refuse comes before what it would let pass.
for n = 1, #steps do
  local step = steps[n]
  if step.kind == 's' then
    local said, ended = go(step)
    if ended then return said end
  elseif step.kind == 'i' then
    replies[n] = go(step)
  end
end
local sides = {}
for n = 1, #steps do
  local step = steps[n]
  if step.kind == 't' then
    keep_for(KEYS[step.k + 1], KEYS[step.k + 4], ARGV[step.a + 1], ARGV[step.a + 2])
    replies[n] = 1
    sides[string.sub(KEYS[step.k + 2], 1, -4)] = KEYS[step.k + 4]
  elseif step.kind == 'w' then
    replies[n] = 1
  end
end
for n = 1, #steps do
  local step = steps[n]
  if step.kind == 'd' then
    replies[n] = call('DEL', KEYS[step.k + 1])
    drop(string.sub(KEYS[step.k + 2], 1, -4), ARGV[step.a + 1])
    sides[string.sub(KEYS[step.k + 2], 1, -4)] = KEYS[step.k + 4]
  end
end
for n = 1, #steps do
  if steps[n].kind == 's' then replies[n] = go(steps[n]) end
end
for side, expires in pairs(sides) do
  if call('EXISTS', expires) == 1 then purge(side, clock(), 16) end
end
return {0, replies}
