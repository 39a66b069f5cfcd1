-- Texts in byte order. Kinds of nodes: '<' key path low high  a range of texts; 'L' key path low high n piece...  those in
-- it that fit a pattern: what must stand between wildcards, where NUL stands for one character. An order of kind '<' has
-- the place of the key, a space and the path for its source. Texts are as they stand in the index: a character is one byte
-- outside of 0x80 to 0xBF, and those between behind it.
local CHARACTER = '[^\128-\191][\128-\191]*'

-- The ids behind the texts of these members.
local function ids_of(entries)
  local result = {}
  for i = 1, #entries do
    result[i] = string.sub(entries[i], (string.find(entries[i], '\0', 1, true) or 0) + 1)
  end
  return result
end

-- The text of each member, as its log tells it; false where it has none.
local function texts_of(path, members)
  local logs, needle, result = pieces('HMGET', side .. 'log', members), '<' .. path .. '\31', {}
  for i = 1, #members do
    local log, from, found = logs[i] or '', 10, false
    while not found do
      local first, last = string.find(log, needle, from, true)
      if not first then break end
      if first == 10 or string.byte(log, first - 1) == 30 then
        found = string.sub(log, last + 1, string.find(log, '\30', last + 1, true) - 1)
      end
      from = last + 1
    end
    result[i] = found
  end
  return result
end

-- Whether a text lies in a range as ZRANGEBYLEX takes it, the low end included and the high one not.
local function within(text, low, high)
  return (low == '-' or not before(text, string.sub(low, 2))) and (high == '+' or before(text, string.sub(high, 2)))
end

local function expression(piece)
  local literal = string.gsub(piece, '[%p]', '%%%0')
  return (string.gsub(literal, '%z', CHARACTER))
end

local function fits(node, text)
  local patterns = node.patterns
  if #patterns == 1 then return string.find(text, '^' .. patterns[1] .. '$') ~= nil end
  local _, at = string.find(text, '^' .. patterns[1])
  for i = 2, #patterns - 1 do
    if not at then return false end
    _, at = string.find(text, patterns[i], at + 1)
  end
  return at ~= nil and string.find(text, patterns[#patterns] .. '$', at + 1) ~= nil
end

local function parse_range(node)
  node.key, node.path, node.low, node.high = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  at = at + 4
end

local function marks_of(node, members, meets)
  local result = {}
  -- A member of the range costs about as much as a log.
  if call('ZLEXCOUNT', node.key, node.low, node.high) <= #members then
    local found = nodes[node.kind].collect(node)
    local inside = {}
    for i = 1, #found do inside[found[i]] = true end
    for i = 1, #members do result[i] = inside[members[i]] or false end
  else
    local texts = texts_of(node.path, members)
    for i = 1, #members do
      result[i] = texts[i] and within(texts[i], node.low, node.high) and meets(node, texts[i])
    end
  end
  return result
end

local function any_text() return true end

nodes['<'] = {
  exact = true,
  parse = parse_range,
  estimate = function(node) return call('ZLEXCOUNT', node.key, node.low, node.high) end,
  collect = function(node) return ids_of(call('ZRANGEBYLEX', node.key, node.low, node.high)) end,
  marks = function(node, members) return marks_of(node, members, any_text) end,
}

nodes['L'] = {
  parse = function(node)
    parse_range(node)
    node.patterns = list(1)
    for i = 1, #node.patterns do node.patterns[i] = expression(node.patterns[i]) end
  end,
  estimate = nodes['<'].estimate,
  collect = function(node)
    local entries, result = call('ZRANGEBYLEX', node.key, node.low, node.high), {}
    for i = 1, #entries do
      local final = string.find(entries[i], '\0', 1, true) or 0
      if fits(node, string.sub(entries[i], 1, final - 1)) then result[#result + 1] = string.sub(entries[i], final + 1) end
    end
    return result
  end,
  marks = function(node, members) return marks_of(node, members, fits) end,
}

arrangements['<'] = function(members, source)
  return texts_of(string.match(source, ' (.*)'), members)
end

-- A page of the order itself, where nothing but its own range is asked: the members and the total.
straight['<'] = function(root, source, direction, from, count)
  local key, down = KEYS[tonumber(string.match(source, '%d+'))], string.lower(direction) == 'd'
  if root.kind == '<' and root.key == key then
    local low, high = root.low, root.high
    local total = call('ZLEXCOUNT', key, low, high)
    if down then return ids_of(call('ZREVRANGEBYLEX', key, high, low, 'LIMIT', from, count)), total end
    return ids_of(call('ZRANGEBYLEX', key, low, high, 'LIMIT', from, count)), total
  end
  if root.kind == '*' and string.find(direction, '%l') and from + count <= call('ZCARD', key) then
    return ids_of(call(down and 'ZREVRANGE' or 'ZRANGE', key, from, from + count - 1)), call('SCARD', ids)
  end
end
