-- Where a page by cursor begins: after or before a position in the order, whether or not a record stands there (any more).
-- ARGV, with the flag 'k', behind the orders: a counted list of 'a' (after) or 'b' (before), and of a position: for each
-- order '-' for no value, or '=' and the value, then the id. Without a position: from the start, or from the end.
local walk -- 'a' or 'b', the values and the id of a position; nil where no page by cursor is asked for

local function position(orders)
  if not string.find(flags, 'k', 1, true) then return end
  local words = list(1)
  walk = {way = words[1], values = {}, id = words[#words]}
  if #words == 1 then walk.id = nil end
  for n = 2, #words - 1 do
    local kind, text = orders[3 * n - 5], string.sub(words[n], 2)
    local value = string.sub(words[n], 1, 1) == '=' and text
    if value and not string.find(kind, '^[$@<]') then value = number(text) or text end
    walk.values[n - 1] = value
    walk.text = value and text
  end
end

-- How many members of a sorted set stand before (score, id), and whether it stands there itself.
local function rank_of(key, score, id, before)
  local held = call('ZSCORE', key, id)
  if held and number(held) == number(score) then return call('ZRANK', key, id), true end
  local low, high = call('ZCOUNT', key, '-inf', '(' .. score), call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if before(call('ZRANGE', key, middle, middle)[1], id) then low = middle + 1 else high = middle end
  end
  return low, false
end

-- What of the ranks from low to below high of a sorted set lies on the side that is asked for.
local function cut(key, low, high, up, before)
  if not walk.id then return low, high end
  local rank, there = rank_of(key, walk.text, walk.id, before)
  if up then return math.max(low, rank + (there and 1 or 0)), high end
  return low, math.min(high, rank)
end

-- A position as the cursor of a page holds it.
local function spelled(orders, values, id)
  local words = {}
  for n = 1, #orders / 3 do
    local value = values[n][1]
    if type(value) == 'number' then value = string.format('%.17g', value) end
    words[n] = value and '=' .. value or '-'
  end
  words[#words + 1] = id
  return words
end
