-- Answers a query: which records meet the conditions, in which order, how many, and the rows of the first of them.
-- KEYS: T@ids, T@expires, then the index keys that the program names by their position.
-- ARGV: flags, offset, limit (-1: all), rows to read at most, columns (counted list), orders (counted list of triples:
-- kind key-or-field direction; kinds: '#' a sorted set of every record, '?' one that may lack some, '$' a field's
-- text, '@' the id, '%' the id as a number), then the program: the conditions as a tree in prefix form.
-- flags: 'w' may write (purge and repair), 'c' count only, 't' tell the time.
-- A node is one of:  '*'  all   '=' key  in a set   'u' n key...  in one of n sets   '#' key low high  a range of scores
-- '!' key token  the owner of a unique value   '&' n node...   '|' n node...   '~' node
-- Replies {total, time in milliseconds or 0, rows, ids of further records in order}.
local ids, expires = KEYS[1], KEYS[2]
local side = string.sub(ids, 1, -4)
local records = string.sub(ids, 1, -5) .. ':'
local flags, offset, limit, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local may_write = string.find(flags, 'w', 1, true) ~= nil
local at = 5

local function list(width)
  local result, n = {}, tonumber(ARGV[at])
  for i = 1, n * width do result[i] = ARGV[at + i] end
  at = at + n * width + 1
  return result
end
local columns = list(1)
local orders = list(3)

local function parse()
  local kind = ARGV[at]
  at = at + 1
  local node = {kind = kind}
  if kind == '=' then
    node.key = KEYS[tonumber(ARGV[at])]
    at = at + 1
  elseif kind == 'u' then
    local n = tonumber(ARGV[at])
    for i = 1, n do node[i] = KEYS[tonumber(ARGV[at + i])] end
    at = at + n + 1
  elseif kind == '#' then
    node.key, node.low, node.high = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
    at = at + 3
  elseif kind == '!' then
    node.key, node.token = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
    at = at + 2
  elseif kind == '&' or kind == '|' then
    local n = tonumber(ARGV[at])
    at = at + 1
    for i = 1, n do node[i] = parse() end
  elseif kind == '~' then
    node[1] = parse()
  end
  return node
end
local root = parse()

-- Runs a command over a list in pieces: no list of unbounded length is ever unpacked.
local function pieces(command, key, members)
  if #members <= 1000 then
    if #members == 0 then return {} end
    return call(command, key, unpack(members))
  end
  local result = {}
  for i = 1, #members, 1000 do
    local part = call(command, key, unpack(members, i, math.min(i + 999, #members)))
    for j = 1, #part do result[i + j - 1] = part[j] end
  end
  return result
end

-- So many members are read faster than an estimate of something better is made.
local FEW = 300

local function bound(text)
  if string.sub(text, 1, 1) == '(' then return bound(string.sub(text, 2)), true end
  if text == '-inf' then return -math.huge, false end
  if text == '+inf' or text == 'inf' then return math.huge, false end
  return tonumber(text), false
end

-- Some Luas do not read infinity.
local function number(score)
  return tonumber(score) or (score == 'inf' and math.huge) or (score == '-inf' and -math.huge)
end

local function estimate(node)
  local kind = node.kind
  if kind == '=' then return call('SCARD', node.key) end
  if kind == '#' then return call('ZCOUNT', node.key, node.low, node.high) end
  if kind == '!' then return 1 end
  if kind == 'u' then
    local n = 0
    for i = 1, #node do n = n + call('SCARD', node[i]) end
    return n
  end
  if kind == '|' then
    local n = 0
    for i = 1, #node do n = n + estimate(node[i]) end
    return n
  end
  if kind == '&' then
    local n = math.huge
    for i = 1, #node do n = math.min(n, estimate(node[i])) end
    return n
  end
  return call('SCARD', ids)
end

-- Which members of the list meet the node: a list of booleans.
local function marks(node, members)
  local kind, result = node.kind, {}
  if kind == '=' then
    local found = pieces('SMISMEMBER', node.key, members)
    for i = 1, #members do result[i] = found[i] == 1 end
  elseif kind == '#' then
    local low, above = bound(node.low)
    local high, below = bound(node.high)
    local scores = pieces('ZMSCORE', node.key, members)
    for i = 1, #members do
      local s = tonumber(scores[i]) or number(scores[i])
      result[i] = s and s >= low and s <= high and not ((above and s == low) or (below and s == high))
    end
  elseif kind == '!' then
    local owner = call('HGET', node.key, node.token)
    for i = 1, #members do result[i] = members[i] == owner end
  elseif kind == '~' then
    local inner = marks(node[1], members)
    for i = 1, #members do result[i] = not inner[i] end
  elseif kind == '*' then
    for i = 1, #members do result[i] = true end
  else
    local all = kind == '&'
    for i = 1, #members do result[i] = all end
    for n = 1, #node do
      local inner
      if kind == 'u' then
        inner = pieces('SMISMEMBER', node[n], members)
        for i = 1, #members do inner[i] = inner[i] == 1 end
      else
        inner = marks(node[n], members)
      end
      for i = 1, #members do
        if all then result[i] = result[i] and inner[i] else result[i] = result[i] or inner[i] end
      end
    end
  end
  return result
end

local function only(members, found)
  local result = {}
  for i = 1, #members do
    if found[i] then result[#result + 1] = members[i] end
  end
  return result
end

-- The members of all the sets by their score in a sorted set, and only those in a range if one is given. Redis intersects
-- and sorts in one go, which costs less than handing it the members of the sets.
local function ranked(sets, key, range)
  local words, n = {}, #sets
  for i = 1, n do
    words[i] = sets[i]
    words[n + 2 + i] = 0
  end
  words[n + 1], words[n + 2], words[2 * n + 3] = key, 'WEIGHTS', 1
  if not range then return call('ZINTER', n + 1, unpack(words)) end
  words[2 * n + 4] = 'WITHSCORES'
  local found = call('ZINTER', n + 1, unpack(words))
  local low, above = bound(range.low)
  local high, below = bound(range.high)
  local kept, count = {}, 0
  for i = 2, #found, 2 do
    local s = tonumber(found[i]) or number(found[i])
    if s >= low and s <= high and not ((above and s == low) or (below and s == high)) then
      count = count + 1
      kept[count] = found[i - 1]
    end
  end
  return kept
end

local collect

-- The members that meet all children: starts from the cheapest child, never from a negation where another is there.
local function collect_all(node)
  local sets, others = {}, {}
  for i = 1, #node do
    -- A list of unbounded length is never unpacked.
    if node[i].kind == '=' and #sets < 1000 then sets[#sets + 1] = node[i].key else others[#others + 1] = node[i] end
  end
  local best, cost, smallest = nil, math.huge, math.huge
  for i = 1, #sets do
    smallest = math.min(smallest, call('SCARD', sets[i]))
    if smallest <= FEW then break end
  end
  for i = 1, #others do
    local kind = others[i].kind
    -- Reading a range costs about four times as much for each member as intersecting sets does.
    if kind == '!' or (smallest > FEW and kind ~= '~' and kind ~= '*') then
      local n = kind == '!' and 1 or 4 * estimate(others[i])
      if n < cost then best, cost = i, n end
    end
  end
  local members
  if #sets > 0 and smallest <= cost then
    best = nil
    for i = 1, #others do
      if others[i].kind == '#' then best = i end
    end
    if best then
      members = ranked(sets, others[best].key, others[best])
    else
      members = #sets == 1 and call('SMEMBERS', sets[1]) or call('SINTER', unpack(sets))
    end
  elseif best then
    members = collect(others[best])
    for i = 1, #sets do members = only(members, marks({kind = '=', key = sets[i]}, members)) end
  else
    members = call('SMEMBERS', ids)
  end
  for i = 1, #others do
    if i ~= best and #members > 0 then members = only(members, marks(others[i], members)) end
  end
  return members
end

function collect(node)
  local kind = node.kind
  if kind == '=' then return call('SMEMBERS', node.key) end
  if kind == '#' then return call('ZRANGEBYSCORE', node.key, node.low, node.high) end
  if kind == '!' then
    local owner = call('HGET', node.key, node.token)
    return owner and {owner} or {}
  end
  if kind == '&' then return collect_all(node) end
  if kind == '*' then return call('SMEMBERS', ids) end
  if kind == '~' then
    local members = call('SMEMBERS', ids)
    return only(members, marks(node, members))
  end
  local seen, result = {}, {}
  for n = 1, #node do
    local members = kind == 'u' and call('SMEMBERS', node[n]) or collect(node[n])
    for i = 1, #members do
      if not seen[members[i]] then
        seen[members[i]] = true
        result[#result + 1] = members[i]
      end
    end
  end
  return result
end

-- Byte order. Lua's own `<` follows the server's locale, which is seldom another than C.
local before = function(a, b) return a < b end
if 'a' < 'B' then
  before = function(a, b)
    for i = 1, math.min(#a, #b) do
      local x, y = string.byte(a, i), string.byte(b, i)
      if x ~= y then return x < y end
    end
    return #a < #b
  end
end

-- Sorts by the orders, then by id; records without a value come last.
local function arrange(members)
  local values = {}
  for n = 1, #orders, 3 do
    local found
    if orders[n] == '#' or orders[n] == '?' then
      found = pieces('ZMSCORE', KEYS[tonumber(orders[n + 1])], members)
      for i = 1, #members do found[i] = found[i] and number(found[i]) end
    elseif orders[n] == '$' then
      found = {}
      for i = 1, #members do
        local text = call('HGET', records .. members[i], orders[n + 1])
        found[i] = text ~= '\0' and text -- None, where a missing field means another value
      end
    elseif orders[n] == '%' then
      found = {}
      for i = 1, #members do found[i] = tonumber(members[i]) end
    else
      found = members
    end
    values[#values + 1] = found
  end
  local rows = {}
  for i = 1, #members do rows[i] = i end
  local last_down = orders[#orders] == 'd'
  table.sort(rows, function(a, b)
    for n = 1, #values do
      local x, y = values[n][a], values[n][b]
      if x ~= y then
        if not x then return false end
        if not y then return true end
        local less
        if type(x) == 'number' then less = x < y else less = before(x, y) end
        if orders[3 * n] == 'd' then return not less end
        return less
      end
    end
    if a == b then return false end
    if last_down then return before(members[b], members[a]) end
    return before(members[a], members[b])
  end)
  local result = {}
  for i = 1, #rows do result[i] = members[rows[i]] end
  return result
end

local now = string.find(flags, 't', 1, true) and clock() or 0
local due = 0
if call('EXISTS', expires) == 1 then
  now = clock()
  -- Where nothing can be written, this is a read all the same.
  may_write = may_write and pcall(purge, side, now, 128)
  due = call('ZCOUNT', expires, '-inf', '(' .. digits(now))
end

local function living(members)
  if due == 0 then return members end
  local deadlines, result = pieces('ZMSCORE', expires, members), {}
  for i = 1, #members do
    if not deadlines[i] or tonumber(deadlines[i]) >= now then result[#result + 1] = members[i] end
  end
  return result
end

if string.find(flags, 'c', 1, true) then
  if root.kind == '*' then return {call('SCARD', ids) - due, digits(now), {}, {}} end
  if due == 0 then
    if root.kind == '=' or root.kind == '#' then return {estimate(root), digits(now), {}, {}} end
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

-- An order by one sorted set can be read off the set itself.
local function from_order()
  if #orders ~= 3 or not (orders[1] == '#' or orders[1] == '?') then return end
  local key, down, full = KEYS[tonumber(orders[2])], orders[3] == 'd', orders[1] == '#'
  if root.kind == '#' and root.key == key and due == 0 and limit >= 0 then
    total = call('ZCOUNT', key, root.low, root.high)
    if down then
      members = call('ZREVRANGEBYSCORE', key, root.high, root.low, 'LIMIT', offset, limit)
    else
      members = call('ZRANGEBYSCORE', key, root.low, root.high, 'LIMIT', offset, limit)
    end
    first, last = 1, limit
  elseif root.kind == '*' and due == 0 and limit >= 0 and offset + limit <= call('ZCARD', key) then
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
    if down then
      local turned = {}
      for i = #found, 1, -1 do turned[#turned + 1] = found[i] end
      found = turned
    end
    members = living(found)
    total = #members
  end
end
from_order()

if not members then
  members = living(collect(root))
  total = #members
  if #orders > 0 then members = arrange(members) end
end

local rows, rest = {}, {}
local position = first
local taken = 0
local wanted = last - first + 1
while position <= #members and taken < wanted do
  local id = members[position]
  position = position + 1
  if #rows < most then
    local row = call('HMGET', records .. id, unpack(columns))
    if not row[1] and call('EXISTS', records .. id) == 0 then
      -- The record went without redmodel: its entries are stale.
      total = total - 1
      if may_write then drop(side, id) end
    else
      rows[#rows + 1] = row
      taken = taken + 1
    end
  else
    rest[#rest + 1] = id
    taken = taken + 1
  end
end
return {total, digits(now), rows, rest}
