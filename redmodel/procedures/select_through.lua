-- Conditions through a reference. Kind of node: '>' path ids expires guard node  the records that refer, in the index of a path,
-- to a living record of another model that meets the node. ids and expires are places of those keys of the other model;
-- guard is the version that asks and what each of its indexes that is used must mean, as in ARGV[1].

-- Runs a function with the other model in the place of the one that is asked.
local function inside(node, run, ...)
  local one, two, three, four, five = ids, expires, side, records, due
  ids, expires, side, records, due = node.ids, node.expires, node.side, node.records, node.due
  local result = run(...)
  ids, expires, side, records, due = one, two, three, four, five
  return result
end

-- Those that are there: an entry may be of a record that went without redmodel.
local function present(members)
  local result = {}
  for i = 1, #members do
    if call('EXISTS', records .. members[i]) == 1 then
      result[#result + 1] = members[i]
    elseif may_write and ids ~= KEYS[1] then -- not of the model that is being walked
      drop(side, members[i])
    end
  end
  return result
end

local function targets(node)
  return inside(node, function() return present(living(collect(node[1]))) end)
end

local function token_of(id)
  return (string.gsub(id, '[%z\1-\31\127~]', function(odd) return string.format('~%02x', string.byte(odd)) end))
end

local function id_of(token)
  return (string.gsub(token, '~(%x%x)', function(odd) return string.char(tonumber(odd, 16)) end))
end

-- Which records each member refers to, as tokens in its log: a list of lists.
local function references(path, members)
  local logs, needle, result = pieces('HMGET', side .. 'log', members), '=' .. path .. '\31', {}
  for i = 1, #members do
    local log, from, found = logs[i] or '', 10, {}
    while true do
      local first, last = string.find(log, needle, from, true)
      if not first then break end
      from = last + 1
      if first == 10 or string.byte(log, first - 1) == 30 then
        local token = string.sub(log, from, string.find(log, '\30', from, true) - 1)
        if token ~= '~null' then found[#found + 1] = token end
      end
    end
    result[i] = found
  end
  return result
end

nodes['>'] = {
  parse = function(node)
    node.path, node.ids, node.expires = ARGV[at], KEYS[tonumber(ARGV[at + 1])], KEYS[tonumber(ARGV[at + 2])]
    node.side, node.records, node.due = string.sub(node.ids, 1, -4), string.sub(node.ids, 1, -5) .. ':', 0
    local version, rest = string.match(ARGV[at + 3], '^(%x*)(.*)$')
    for path, meaning in string.gmatch(rest, '\31([^\30]*)\30([^\31]*)') do
      refusal = refusal or unready(node.side, version, path, meaning, call('HGET', node.side .. 'schema', 'index:' .. path))
    end
    if call('EXISTS', node.expires) == 1 then
      if now == 0 then now = clock() end
      node.due = call('ZCOUNT', node.expires, '-inf', '(' .. digits(now))
    end
    at = at + 4
    node[1] = inside(node, parse)
  end,

  estimate = function(node)
    local all, theirs = call('SCARD', ids), call('SCARD', node.ids)
    return math.min(all, inside(node, estimate, node[1]) * math.max(1, all / math.max(1, theirs)))
  end,

  -- From the records found to those that refer to them; where those are fewer, by reading what each refers to.
  collect = function(node)
    local all = call('SCARD', ids)
    if inside(node, estimate, node[1]) > 2 * all then
      local members = call('SMEMBERS', ids)
      return only(members, marks(node, members))
    end
    local found, keys, seen, result = targets(node), {}, {}, {}
    for i = 1, #found do keys[i] = side .. node.path .. ':' .. token_of(found[i]) end
    for i = 1, #keys, 1000 do
      add_new(result, seen, call('SUNION', unpack(keys, i, math.min(i + 999, #keys))))
    end
    return result
  end,

  marks = function(node, members)
    local tokens, wanted, distinct, result = references(node.path, members), {}, {}, {}
    for i = 1, #members do
      for j = 1, #tokens[i] do
        local token = tokens[i][j]
        if wanted[token] == nil then
          wanted[token] = false
          distinct[#distinct + 1] = id_of(token)
        end
      end
    end
    local found
    if #distinct <= inside(node, estimate, node[1]) then
      found = inside(node, function() return present(living(only(distinct, marks(node[1], distinct)))) end)
    else
      found = targets(node)
    end
    for i = 1, #found do wanted[token_of(found[i])] = true end
    for i = 1, #members do
      result[i] = false
      for j = 1, #tokens[i] do result[i] = result[i] or wanted[tokens[i][j]] end
    end
    return result
  end,
}
