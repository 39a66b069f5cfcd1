-- Answers a query: which records meet the conditions, in which order, how many, and the rows of the first of them.
-- ARGV: flags, offset, limit (-1: all), rows to read at most, columns (counted list), orders (counted list of triples:
-- kind key-or-field direction; kinds: '#' a sorted set of every record, '?' one that may lack some, '$' a field's
-- text, '@' the id, '%' the id as a number, or one that another part adds; directions: 'a' up, 'd' down, 'A' and 'D' the same
-- with those first that lack a value), then the program. Further flags: 'c' count only, 's' tell by what value of the first
-- order each record stands where it does, 'k' a page by cursor (position.lua), 'n' the total is not asked for: it is -1, 'p' what
-- was begun goes on (pieces.lua).
-- Replies {total, time in milliseconds or 0, rows, ids of further records in order}, with 's' or 'k' the values of all these,
-- with 'k' the positions of the first and the last of them, and 1 if more follow. Where there is too much to look at in one
-- go, {-2, time, words to go on with} instead.
-- Where the order has bounds that are passed: {total, time, {}, all ids in no order, 'far'}.
local offset, limit, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
at = 5
local columns = list(1)
local orders = list(3)
position(orders)
resume()
local root = parse()
if refusal then return refusal end

-- What the order at this place of `orders` says of each member: a number, a text, or false.
local function values_of(n, members)
  local kind, source, found = orders[n], orders[n + 1], {}
  if kind == '#' or kind == '?' then
    found = pieces('ZMSCORE', KEYS[tonumber(source)], members)
    for i = 1, #members do found[i] = found[i] and number(found[i]) end
  elseif kind == '$' then
    for i = 1, #members do
      local text = call('HGET', records .. members[i], source)
      found[i] = text ~= '\0' and text -- None, where a missing field means another value
    end
  elseif kind == '%' then
    for i = 1, #members do found[i] = tonumber(members[i]) end
  elseif kind == '@' then
    found = members
  else
    found = arrangements[kind](members, source)
  end
  return found
end

-- Sorts by the orders, then by id; records without a value come last where the direction does not say otherwise. Of a page
-- by cursor only what lies on its side.
local function arrange(members)
  local values, downs, firsts = {}, {}, {}
  for n = 1, #orders, 3 do
    local at, letter = #values + 1, orders[n + 2]
    values[at], downs[at], firsts[at] = values_of(n, members), string.lower(letter) == 'd', (letter == 'A' or letter == 'D')
  end
  local last_down = downs[#downs]
  local function first(a, b)
    for n = 1, #values do
      local x, y = values[n][a], values[n][b]
      if x ~= y then
        if not x then return firsts[n] end
        if not y then return not firsts[n] end
        local less
        if type(x) == 'number' then less = x < y else less = before(x, y) end
        if downs[n] then return not less end
        return less
      end
    end
    if a == b then return false end
    if last_down then return before(members[b], members[a]) end
    return before(members[a], members[b])
  end
  local rows = {}
  if walk and walk.id then
    -- The position is a member at place 0.
    members[0] = walk.id
    for n = 1, #values do values[n][0] = walk.values[n] end
    for i = 1, #members do
      local beyond
      if walk.way == 'a' then beyond = first(0, i) else beyond = first(i, 0) end
      if beyond then rows[#rows + 1] = i end
    end
  else
    for i = 1, #members do rows[i] = i end
  end
  table.sort(rows, first)
  local result = {}
  for i = 1, #rows do result[i] = members[rows[i]] end
  return result
end

-- Whether a value may stand before another, or in its place, in an order.
local function may_precede(x, y, letter)
  if x == y then return true end
  if not x then return letter == 'A' or letter == 'D' end
  if not y then return letter == 'a' or letter == 'd' end
  local less
  if type(x) == 'number' then less = x < y else less = before(x, y) end
  return less == (string.lower(letter) == 'a')
end

-- The first of the order in a pool of `most` and some more members, of which only those are sorted that may be among them.
local function better(pool, members, most)
  if #pool == most then
    local worst = values_of(1, {pool[most]})[1]
    local values, kept = values_of(1, members), {}
    for i = 1, #members do
      if may_precede(values[i], worst, orders[3]) then kept[#kept + 1] = members[i] end
    end
    members = kept
  end
  if #members == 0 then return pool end
  for i = 1, #members do pool[#pool + 1] = members[i] end
  local sorted = arrange(pool)
  pool = {}
  for i = 1, #sorted do
    if #pool == most then break end
    if sorted[i] ~= sorted[i - 1] then pool[#pool + 1] = sorted[i] end
  end
  return pool
end

-- The first of the order: all are looked at.
local function arrange_first(members, most)
  if #members < 4 * most + 200 then return arrange(members) end
  local pool, at, size = {}, 0, 2 * most + 100
  while at < #members do
    local part = {}
    for i = 1, math.min(size, #members - at) do part[i] = members[at + i] end
    at, size = at + #part, 1000
    pool = better(pool, part, most)
  end
  return pool
end

if string.find(flags, 'c', 1, true) then
  local n = tally(root)
  if not n and large(root) then
    local unfinished
    n, unfinished = in_pieces(root)
    if unfinished then return unfinished end
  end
  return {n or #living(collect(root)), digits(now), {}, {}}
end

local offset_left, total, source = offset, nil, nil
local last = limit < 0 and math.huge or offset + limit
local counts = not walk and not string.find(flags, 'n', 1, true)

local function turned(list)
  local result = {}
  for i = #list, 1, -1 do result[#result + 1] = list[i] end
  return result
end

-- The living of what a source gives.
local function alive(from)
  if due == 0 then return from end
  return function()
    while true do
      local members = from()
      if #members == 0 then return members end
      members = living(members)
      if #members > 0 then return members end
    end
  end
end

-- An order by one sorted set may be read off the set itself, from the front or the back, and what else is asked of each
-- member looked up: nil where that costs more than to sort what meets the conditions, or where it leaves some out.
local function from_order()
  if #orders == (orders[1] == 'bm25' and 6 or 3) and straight[orders[1]] and due == 0 and limit >= 0 and not walk then
    local found
    found, total = straight[orders[1]](root, orders[2], orders[3] .. (orders[4] or ''), offset, limit)
    if found then source, offset_left = whole(found), 0 end
    return
  end
  if #orders ~= 3 or not (orders[1] == '#' or orders[1] == '?') or (walk and walk.id and not walk.text) then return end
  local key, letter = KEYS[tonumber(orders[2])], orders[3]
  local up = (letter == 'a' or letter == 'A') ~= (walk ~= nil and walk.way == 'b')
  local low, high = 0, call('ZCARD', key)
  local others, ranged = {}, false
  local nodes = root.kind == '&' and root or {root}
  for i = 1, #nodes do
    if nodes[i].kind == '#' and nodes[i].key == key and not ranged then
      ranged = true
      low, high = ranks(nodes[i])
    elseif nodes[i].kind ~= '*' then
      others[#others + 1] = nodes[i]
    end
  end
  local span = math.max(0, high - low)
  -- Where records may lack a value, only a range on the same field leaves none of them out. Those that were written before the
  -- field was indexed are in no sorted set until they are saved whole.
  local full = ranged or span >= call('SCARD', ids)
  if not full and (walk or limit < 0 or letter == 'A' or letter == 'D') then return end
  local known = counts and tally(root)
  local cost = span
  if known or not counts then
    local part = 1
    for i = 1, #others do part = part * share(others[i]) end
    cost = math.min(span, (last + 1) / math.max(part, 1e-9))
  elseif not full then
    return
  end
  -- To test a member costs about a third of what it costs to collect and to sort one.
  if #others > 0 and cost * #others > 3 * estimate(root) then return end
  if walk then low, high = cut(key, low, high, up, before) end
  local size = math.max(10, math.min(STEP, math.ceil((last + 1) / (#others > 0 and 0.5 or 1))))
  local skipped = 0
  if #others == 0 and due == 0 then -- what is skipped need not be looked at
    skipped = math.max(0, math.min(offset, high - low))
    if up then low = low + skipped else high = high - skipped end
  end
  local found = alive(sifted(walked(key, low, high, up, size), others))
  if not full then
    -- If the set ends before the page does, records without a value belong to it.
    local members = {}
    while #members < last - skipped do
      local more = found()
      if #more == 0 then return end
      for i = 1, #more do members[#members + 1] = more[i] end
    end
    found = whole(members)
  end
  offset_left = offset - skipped
  total = known
  if not counts or known then
    source = found
    return
  end
  -- All of it is looked at, for the total; what is wanted is kept.
  local kept = {}
  while true do
    local members = found()
    if #members == 0 then break end
    for i = 1, #members do kept[#kept + 1] = members[i] end
  end
  total, source = #kept, whole(kept)
end
from_order()

if not source and #orders == 0 and limit >= 0 and not counts then
  source = alive(streamed(root, math.max(10, math.min(limit + 1, STEP)))) -- any will do, so the first that are found
end

-- An order with a bound of its own costs too much for each member even in pieces.
local piecewise = limit >= 0 and #orders > 0 and not (walk and walk.way == 'b') and not bounds[orders[1]]
if not source and piecewise and large(root) then
  local unfinished, found
  -- A few more than are wanted, as some may be stale.
  total, unfinished, found = in_pieces(root, function(pool, members) return better(pool, members, last + 50) end)
  if unfinished then return unfinished end
  source = whole(found)
end

if not source then
  local members = living(collect(root))
  total = #members
  if bounds[orders[1]] and bounds[orders[1]](#members, orders[2]) then return {#members, digits(now), {}, members, 'far'} end
  local best, partial = members, false
  if #orders > 0 and limit >= 0 and not (walk and walk.way == 'b') then
    best = arrange_first(members, last + 1)
    partial = #best > last
  elseif #orders > 0 then
    best = arrange(members)
  end
  if walk and walk.way == 'b' then best = turned(best) end
  local given = 0
  source = function()
    -- More than the first are wanted only where some of them are stale.
    if given > 0 and partial then best, partial = arrange(members), false end
    local found = {}
    for i = given + 1, #best do found[#found + 1] = best[i] end
    given = #best
    return found
  end
end
if not counts then total = -1 end

-- What the source gives, without what is skipped.
local function chunk()
  while true do
    local members = source()
    if #members == 0 then return members end
    if offset_left >= #members then
      offset_left = offset_left - #members
    elseif offset_left > 0 then
      local kept = {}
      for i = offset_left + 1, #members do kept[#kept + 1] = members[i] end
      offset_left = 0
      return kept
    else
      return members
    end
  end
end

local rows, rest, given, stale = {}, {}, {}, {}
local members, place, taken = {}, 1, 0
local wanted = limit < 0 and math.huge or limit
while taken < wanted do
  if place > #members then members, place = chunk(), 1 end
  if place > #members then break end
  local id = members[place]
  place = place + 1
  if #rows < most then
    local row = row_of(id, columns)
    if not row then
      if counts then total = total - 1 end
      stale[#stale + 1] = id
    else
      rows[#rows + 1] = row
      taken = taken + 1
      given[taken] = id
    end
  else
    rest[#rest + 1] = id
    taken = taken + 1
    given[taken] = id
  end
end
local more
if walk then
  more = place <= #members or #chunk() > 0
  if walk.way == 'b' then rows, given = turned(rows), turned(given) end
end
-- Not before: members of an order are told by their rank.
if may_write then
  for i = 1, #stale do drop(side, stale[i]) end
end
local scored = string.find(flags, 's', 1, true)
if not scored and not walk then return {total, digits(now), rows, rest} end
local values = {}
if scored then
  values = values_of(1, given)
  for i = 1, #given do
    if type(values[i]) == 'number' then values[i] = string.format('%.17g', values[i]) end
  end
end
if not walk then return {total, digits(now), rows, rest, values} end
local ends = {}
for _, id in ipairs(#given > 0 and {given[1], given[#given]} or {}) do
  local held = {}
  for n = 1, #orders, 3 do held[#held + 1] = values_of(n, {id}) end
  ends[#ends + 1] = spelled(orders, held, id)
end
return {-1, digits(now), rows, rest, values, ends, more and 1 or 0}
