-- Answers a query: which records meet the conditions, in which order, how many, and the rows of the first of them.
-- ARGV: flags, offset, limit (-1: all), rows to read at most, columns (counted list), orders (counted list of triples:
-- kind key-or-field direction; kinds: '#' a sorted set of every record, '?' one that may lack some, '$' a field's
-- text, '@' the id, '%' the id as a number, or one that another part adds; directions: 'a' up, 'd' down, 'A' and 'D' the same
-- with those first that lack a value), then the program. Further flags: 'c' count only, 's' tell by what value of the first
-- order each record stands where it does, 'k' a page by cursor (position.lua).
-- Replies {total, time in milliseconds or 0, rows, ids of further records in order}, with 's' or 'k' the values of all these,
-- with 'k' the positions of the first and the last of them, and 1 if more follow.
local offset, limit, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
at = 5
local columns = list(1)
local orders = list(3)
position(orders)
local root = parse()

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

if string.find(flags, 'c', 1, true) then
  if root.kind == '*' then return {call('SCARD', ids) - due, digits(now), {}, {}} end
  if due == 0 then
    local rich = nodes[root.kind]
    if root.kind == '=' or root.kind == '#' or (rich and rich.exact) then return {estimate(root), digits(now), {}, {}} end
    if root.kind == '&' then
      local sets = {}
      for i = 1, #root do sets[i] = root[i].kind == '=' and root[i].key or nil end
      if #sets == #root and #sets <= 1000 then
        local n = redis.pcall('SINTERCARD', #sets, unpack(sets)) -- since 7.0
        if type(n) == 'number' then return {n, digits(now), {}, {}} end
      end
    end
  end
  return {#living(collect(root)), digits(now), {}, {}}
end

local members, total
local first, last = offset + 1, limit < 0 and math.huge or offset + limit

local function turned(list)
  local result = {}
  for i = #list, 1, -1 do result[#result + 1] = list[i] end
  return result
end

-- An order by one sorted set can be read off the set itself.
local function from_order()
  if #orders == 3 and straight[orders[1]] and due == 0 and limit >= 0 then
    members, total = straight[orders[1]](root, orders[2], orders[3], offset, limit)
    if members then first, last = 1, limit end
    return
  end
  if #orders ~= 3 or not (orders[1] == '#' or orders[1] == '?') then return end
  local key, down, full = KEYS[tonumber(orders[2])], string.lower(orders[3]) == 'd', orders[1] == '#'
  if root.kind == '#' and root.key == key and due == 0 and limit >= 0 then
    total = call('ZCOUNT', key, root.low, root.high)
    if down then
      members = call('ZREVRANGEBYSCORE', key, root.high, root.low, 'LIMIT', offset, limit)
    else
      members = call('ZRANGEBYSCORE', key, root.low, root.high, 'LIMIT', offset, limit)
    end
    first, last = 1, limit
  elseif root.kind == '*' and string.find(orders[3], '%l') and due == 0 and limit >= 0 and offset + limit <= call('ZCARD', key) then
    total = call('SCARD', ids)
    members = call(down and 'ZREVRANGE' or 'ZRANGE', key, offset, offset + limit - 1)
    first, last = 1, limit
  else
    local sets, range = {}, nil
    if root.kind == '=' then sets[1] = root.key end
    if root.kind == '&' then
      for i = 1, #root do
        if root[i].kind == '=' then
          sets[#sets + 1] = root[i].key
        elseif root[i].kind == '#' and root[i].key == key and not range then
          range = root[i]
        else
          return
        end
      end
    end
    -- Where records may lack a value, only a range on the same field leaves none of them out.
    if #sets == 0 or #sets > 1000 or not (full or range) then return end
    -- Records that were written before the field was indexed are in no sorted set until they are saved whole.
    if not range and call('ZCARD', key) < call('SCARD', ids) then return end
    local found = ranked(sets, key, range)
    if down then found = turned(found) end
    members = living(found)
    total = #members
  end
end
local chunk
if walk then
  chunk = chunks(root, orders, offset, limit, before)
  if chunk then members, total, first, last = chunk(), 0, 1, limit end
else
  from_order()
end

if not members then
  members = living(collect(root))
  total = #members
  if #orders > 0 then members = arrange(members) end
  if walk and walk.way == 'b' then members = turned(members) end
end

local rows, rest, given, stale = {}, {}, {}, {}
local place = first
local taken = 0
local wanted = last - first + 1
while taken < wanted do
  if place > #members and chunk then members, place = chunk(), 1 end
  if place > #members then break end
  local id = members[place]
  place = place + 1
  if #rows < most then
    local row = call('HMGET', records .. id, unpack(columns))
    if not row[1] and call('EXISTS', records .. id) == 0 then
      -- The record went without redmodel: its entries are stale.
      total = total - 1
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
  more = place <= #members or (chunk and #chunk() > 0)
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
