-- Counts the records that meet the conditions, in groups, and measures them, from the indexes alone.
-- ARGV: flags, how records are grouped ('-' in one group, '=' by the tokens of a path in the log, '#' by the scores of a
-- sorted set, '~' by steps of them), the path or the place of the key, the start and the width of a step, the place of
-- the sorted set that is measured or '', the number of groups that are too many, columns (counted list), the program.
-- Flags: 'i' measures are whole numbers and must be summed exactly, 'v' give a row of every group.
-- Replies an error {'groups', how many}, {'inexact'}, or a list of groups:
-- {token, records, measured, sum, rest of the sum, least, most, row or nil}; a sum is sum * 2^26 + rest.
-- A row is of one record of the group; it is given also where the token is a hash.
local kind, path, start, width = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local measured, most = KEYS[tonumber(ARGV[6])], tonumber(ARGV[7])
local whole, rows = string.find(flags, 'i', 1, true), string.find(flags, 'v', 1, true)
local NULL, SHIFT = '~null', 67108864
at = 8
local columns = list(1)
local root = parse()
if refusal then return refusal end
local members = living(collect(root))

local function text(n)
  return n and string.format('%.17g', n) or ''
end

-- The tokens of every member: a list of lists.
local function tokens()
  local result = {}
  if kind == '-' then
    for i = 1, #members do result[i] = {''} end
  elseif kind == '=' then
    local logs, needle = pieces('HMGET', side .. 'log', members), path .. '\31'
    for i = 1, #members do
      local found, log, from = {}, logs[i] or '', 10
      while true do
        local first, last = string.find(log, needle, from, true)
        if not first then break end
        local close = string.find(log, '\30', last, true)
        -- Only where an entry begins: right behind its kind, which stands behind the entry before. What has a place among
        -- texts in order ('<') has an entry by equality too.
        if (first == 11 or string.byte(log, first - 2) == 30) and string.byte(log, first - 1) ~= 60 then
          found[#found + 1] = string.sub(log, last + 1, close - 1)
        end
        from = close + 1
      end
      result[i] = found
    end
  else
    local scores = pieces('ZMSCORE', KEYS[tonumber(path)], members)
    for i = 1, #members do
      local s = scores[i] and number(scores[i])
      if s and kind == '~' and s - s == 0 then s = start + math.floor((s - start) / width) * width end
      result[i] = {s and text(s) or NULL}
    end
  end
  return result
end

local values = measured and pieces('ZMSCORE', measured, members) or {}
local groups, order = {}, {}
local all = tokens()
for i = 1, #members do
  local value = values[i] and number(values[i])
  for j = 1, #all[i] do
    local token = all[i][j]
    local group = groups[token]
    if not group then
      if #order == most then return {'groups', #order + 1} end
      group = {count = 0, n = 0, sum = 0, rest = 0, id = members[i]}
      groups[token] = group
      order[#order + 1] = token
    end
    group.count = group.count + 1
    if value then
      group.n = group.n + 1
      if whole then
        local rest = value % SHIFT
        group.sum, group.rest = group.sum + (value - rest) / SHIFT, group.rest + rest
        if math.abs(group.sum) > 9007199254740991 then return {'inexact'} end
      else
        group.sum = group.sum + value
      end
      if not group.low or value < group.low then group.low = value end
      if not group.high or value > group.high then group.high = value end
    end
  end
end

local result = {}
for i = 1, #order do
  local token = order[i]
  local group = groups[token]
  local row
  if token ~= NULL and (rows or (kind == '=' and string.byte(token) == 126)) then
    row = call('HMGET', records .. group.id, unpack(columns))
  end
  result[i] = {token, group.count, group.n, text(group.sum), text(group.rest), text(group.low), text(group.high), row}
end
return result
