-- Members a chunk at a time, so that who has enough of them stops early; an empty chunk says that all were given. And how
-- many meet a node, where that is known without a look at each.
local STEP = 1000

local function whole(members)
  return function()
    local found = members
    members = {}
    return found
  end
end

-- A set, each member once: one that is being resized may give some twice. Chunks begin with about `size` and grow.
local function scanned(key, size)
  if call('SCARD', key) <= FEW then return whole(call('SMEMBERS', key)) end
  local cursor, seen = '0', {}
  return function()
    local found = {}
    while cursor and #found == 0 do
      local reply = call('SSCAN', key, cursor, 'COUNT', size)
      cursor = reply[1] ~= '0' and reply[1]
      size = math.min(2 * size, STEP)
      add_new(found, seen, reply[2])
    end
    return found
  end
end

-- The ranks of a sorted set from low to below high, up or down. Chunks begin with `size` and grow.
local function walked(key, low, high, up, size)
  local card = call('ZCARD', key)
  return function()
    if low >= high then return {} end
    local found
    if up then
      local last = math.min(low + size, high)
      found = call('ZRANGE', key, low, last - 1)
      low = last
    else
      local first = math.max(high - size, low)
      found = call('ZREVRANGE', key, card - high, card - first - 1)
      high = first
    end
    size = math.min(2 * size, STEP)
    return found
  end
end

-- The ranks of the members of a node that is a range.
local function ranks(node)
  return call('ZCARD', node.key) - call('ZCOUNT', node.key, node.low, '+inf'), call('ZCOUNT', node.key, '-inf', node.high)
end

-- What meets all the nodes but the one at `but`, of those that a source gives.
local function sifted(source, nodes, but)
  return function()
    while true do
      local members = source()
      if #members == 0 then return members end
      for i = 1, #nodes do
        if i ~= but and #members > 0 then members = only(members, marks(nodes[i], members)) end
      end
      if #members > 0 then return members end
    end
  end
end

-- The members that meet a node, in no order; chunks begin with `size`.
local function streamed(node, size)
  local kind = node.kind
  if kind == '=' then return scanned(node.key, size) end
  if kind == '*' then return scanned(ids, size) end
  if kind == '~' then return sifted(scanned(ids, size), {node}) end
  if kind == '#' then
    local low, high = ranks(node)
    return walked(node.key, low, high, true, size)
  end
  if kind == '&' then
    local best, least = 0, math.huge
    for i = 1, #node do
      local n = node[i].kind ~= '~' and node[i].kind ~= '*' and estimate(node[i])
      if n and n < least then best, least = i, n end
    end
    return sifted(best == 0 and scanned(ids, size) or streamed(node[best], size), node, best)
  end
  if kind == '|' or kind == 'u' then
    local n, source, seen = 0, nil, {}
    return function()
      while true do
        if not source then
          n = n + 1
          if n > #node then return {} end
          if kind == 'u' then source = scanned(node[n], size) else source = streamed(node[n], size) end
        end
        local members, found = source(), {}
        if #members == 0 then source = nil end
        add_new(found, seen, members)
        if #found > 0 then return found end
      end
    end
  end
  return whole(collect(node))
end

-- The part of all records that meets a node, if no condition had to do with another.
local function share(node)
  local kind = node.kind
  if kind == '*' then return 1 end
  if kind == '~' then return math.max(0, 1 - share(node[1])) end
  if kind == '&' then
    local part = 1
    for i = 1, #node do part = part * share(node[i]) end
    return part
  end
  return math.min(1, estimate(node) / math.max(1, call('SCARD', ids)))
end

-- How many living records meet a node; nil where each would have to be looked at.
local function tally(node)
  local kind, n = node.kind, nil
  if kind == '*' or kind == '=' or kind == '#' or (nodes[kind] and nodes[kind].exact) then
    n = estimate(node)
  elseif kind == '&' then
    local sets, command = {}, 'SINTERCARD' -- both are there since 7.0
    for i = 1, #node do
      local child = node[i]
      local whole = child.kind == '#' and child.low == '-inf' and child.high == '+inf'
      if whole then command = 'ZINTERCARD' end
      sets[#sets + 1] = (whole or child.kind == '=') and child.key or nil
    end
    if #sets == #node and #sets <= 1000 then n = redis.pcall(command, #sets, unpack(sets)) end
    if type(n) ~= 'number' then return end
  end
  if not n or due == 0 then return n end
  if due > 1000 then return end
  local over = call('ZRANGEBYSCORE', expires, '-inf', '(' .. digits(now))
  over = only(over, marks({kind = '=', key = ids}, over))
  return n - #only(over, marks(node, over))
end
