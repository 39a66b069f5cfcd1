-- Runs a query and tells what it did: this part stands before those of find.lua, traced.lua behind them.
-- KEYS and ARGV: those of find.lua. Replies {its reply, microseconds, {name, keys, calls, items} of each kind of command
-- in the order of their first calls}; a name ends in LIMIT where a range is cut. Items are the members or values of the
-- replies, or the last number that one was; the records that are read count as one key.
local steps, known = {}, {}
local untold = call
local every_record = string.sub(KEYS[1], 1, -5) .. ':'

local function keys_of(name, key, ...)
  if name == 'TIME' then return {} end
  if name == 'SINTER' then return {key, ...} end
  if name == 'ZINTER' then return {unpack({...}, 1, tonumber(key))} end
  if string.sub(key, 1, #every_record) == every_record then return {every_record .. '*'} end
  return {key}
end

call = function(name, ...)
  local reply = untold(name, ...)
  local keys = keys_of(name, ...)
  if select(4, ...) == 'LIMIT' then name = name .. ' LIMIT' end
  local what = name .. '\31' .. table.concat(keys, '\31')
  local step = known[what]
  if not step then
    step = {name = name, keys = keys, calls = 0, items = 0}
    known[what] = step
    steps[#steps + 1] = step
  end
  step.calls = step.calls + 1
  local items = 0
  if type(reply) == 'number' then
    items = reply - step.items -- the last one stands
  elseif name == 'SSCAN' then
    items = #reply[2]
  elseif type(reply) == 'table' then
    for i = 1, #reply do items = items + (reply[i] and 1 or 0) end
    if select(select('#', ...), ...) == 'WITHSCORES' then items = items / 2 end
  elseif reply then
    items = 1
  end
  step.items = step.items + items
  return reply
end

local function asked()
