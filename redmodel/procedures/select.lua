-- Which records meet the conditions: what every procedure with a program of conditions shares.
-- KEYS: T@ids, T@expires, then the index keys that the program names by their position.
-- ARGV[1]: flags; 'w' may write (purge and repair), 't' tell the time; then \31, the version of the model that asks, and for
-- each index that is used \31 path \30 meaning.
-- Replies an error UNREADY or UNSETTLED, version, T@ and path where an index can't answer (yet).
-- A node of the program is one of:  '*'  all   '=' key  in a set   'u' n key...  in one of n sets
-- '#' key low high  a range of scores   '!' key token  the owner of a unique value
-- '&' n node...   '|' n node...   '~' node, or of a kind that another part adds to `nodes` below.
local ids, expires = KEYS[1], KEYS[2]
local side = string.sub(ids, 1, -4)
local records = string.sub(ids, 1, -5) .. ':'
local flags, reader, guard = string.match(ARGV[1], '^(%a*)\31?(%x*)(.*)$')
local may_write = string.find(flags, 'w', 1, true) ~= nil
local at = 2 -- where the arguments are read

if guard ~= '' then
  local paths, meanings, fields = {}, {}, {}
  for path, meaning in string.gmatch(guard, '\31([^\30]*)\30([^\31]*)') do
    local n = #paths + 1
    paths[n], meanings[n], fields[n] = path, meaning, 'index:' .. path
  end
  local states = call('HMGET', side .. 'schema', unpack(fields))
  for i = 1, #paths do
    local why = unready(side, reader, paths[i], meanings[i], states[i])
    if why then return why end
  end
end

local function list(width)
  local result, n = {}, tonumber(ARGV[at])
  for i = 1, n * width do result[i] = ARGV[at + i] end
  at = at + n * width + 1
  return result
end

-- What parts that come after this one add: kinds of nodes, each with parse(node), estimate(node), collect(node) and
-- marks(node, members), and `exact` if its estimate is the number of all that it collects; kinds of orders, each a function
-- (members, source) that gives a list of numbers, texts or false; and readers of pages straight off an order, each a function
-- (root, source, direction, offset, limit) that gives members and total, or nothing where that can't be.
-- Some orders have bounds, functions (count, source): true where so many members are more than one call should order.
local nodes, arrangements, straight, bounds = {}, {}, {}, {}
local refusal -- the error of a node that can't be answered

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
  elseif kind ~= '*' then
    nodes[kind].parse(node)
  end
  return node
end

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
  if nodes[kind] then return nodes[kind].estimate(node) end
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
  elseif nodes[kind] then
    return nodes[kind].marks(node, members)
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

-- Adds to a list those of the members that it does not hold yet, as `seen` tells.
local function add_new(result, seen, members)
  for i = 1, #members do
    local id = members[i]
    if not seen[id] then
      seen[id] = true
      result[#result + 1] = id
    end
  end
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
  if nodes[kind] then return nodes[kind].collect(node) end
  local seen, result = {}, {}
  for n = 1, #node do
    add_new(result, seen, kind == 'u' and call('SMEMBERS', node[n]) or collect(node[n]))
  end
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

-- What a record holds in these fields; nil where it went without redmodel, so that its entries are stale.
local function row_of(id, columns)
  local row = call('HMGET', records .. id, unpack(columns))
  if row[1] or call('EXISTS', records .. id) == 1 then return row end
end
