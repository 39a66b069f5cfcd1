-- Further kinds for texts. Nodes:  'b' vocabulary start  a word that begins so   'p' texts gaps row  words in a row, of a hash of
-- texts; with gaps '1' the row is a pattern. Orders:  'bm25' with terms as its source: 'w texts word weight' and
-- 'b vocabulary start weight', parted by blanks; a beginning counts its weight, a word its BM25 (k1 = 1.2, b = 0.75).
local LENGTHS = 16777216

local function words_of(node)
  if not node.words then
    node.words = {}
    local found = call('ZRANGEBYLEX', node.key, '[' .. node.start, '[' .. node.start .. '\255')
    local base = string.sub(node.key, 1, -7) -- without '~words'
    for i = 1, #found do node.words[i] = base .. found[i] end
  end
  return node.words
end

nodes['b'] = {
  parse = function(node)
    node.key, node.start = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
    at = at + 2
  end,
  estimate = function(node)
    local words, n = words_of(node), 0
    for i = 1, #words do n = n + call('ZCARD', words[i]) end
    return n
  end,
  collect = function(node)
    local words, seen, result = words_of(node), {}, {}
    for i = 1, #words do
      local members = call('ZRANGE', words[i], 0, -1)
      for j = 1, #members do
        if not seen[members[j]] then
          seen[members[j]] = true
          result[#result + 1] = members[j]
        end
      end
    end
    return result
  end,
  marks = function(node, members)
    local words, result = words_of(node), {}
    for i = 1, #members do result[i] = false end
    if #words * #members > nodes['b'].estimate(node) then
      local there = {}
      local all = nodes['b'].collect(node)
      for i = 1, #all do there[all[i]] = true end
      for i = 1, #members do result[i] = there[members[i]] or false end
      return result
    end
    for n = 1, #words do
      local found = pieces('ZMSCORE', words[n], members)
      for i = 1, #members do result[i] = result[i] or (found[i] and true) end
    end
    return result
  end,
}

nodes['p'] = {
  parse = function(node)
    node.key, node.plain, node.row = KEYS[tonumber(ARGV[at])], ARGV[at + 1] == '0', ARGV[at + 2]
    at = at + 3
  end,
  estimate = function(node) return math.huge end, -- it stands beside its words, which are fewer
  collect = function(node)
    local members = call('SMEMBERS', ids)
    return only(members, nodes['p'].marks(node, members))
  end,
  marks = function(node, members)
    local texts, result = pieces('HMGET', node.key, members), {}
    for i = 1, #members do
      result[i] = texts[i] and string.find(texts[i] .. ' ', node.row, 1, node.plain) ~= nil
    end
    return result
  end,
}

-- How much an occurrence counts: a function of the score in the sorted set of a word, which is length - times * LENGTHS.
local function weigher(texts, word, weight)
  local n = call('HLEN', texts) - 1
  local average = (tonumber(call('HGET', texts, '')) or 0) / n
  local with = math.min(call('ZCARD', word), n)
  local rarity = weight * math.log(1 + (n - with + 0.5) / (with + 0.5))
  return function(score)
    local times = math.floor((LENGTHS - 1 - score) / LENGTHS)
    local length = score + times * LENGTHS
    return rarity * (times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / average)))
  end
end

arrangements['bm25'] = function(members, source)
  local result, term = {}, string.gmatch(source, '%S+')
  for i = 1, #members do result[i] = 0 end
  for kind in term do
    local first, second, weight = KEYS[tonumber(term())], term(), nil
    weight = tonumber(term())
    if kind == 'w' then
      local word = KEYS[tonumber(second)]
      local weigh, scores = weigher(first, word, weight), pieces('ZMSCORE', word, members)
      for i = 1, #members do
        if scores[i] then result[i] = result[i] + weigh(tonumber(scores[i])) end
      end
    else
      local begun = nodes['b'].marks({key = first, start = second}, members)
      for i = 1, #members do
        if begun[i] then result[i] = result[i] + weight end
      end
    end
  end
  return result
end

-- Of the members that come first by value, the largest first, and then by id, as many as wanted.
local function best(members, values, wanted, numbered)
  local kept, last = {}, nil
  local function first(a, b)
    if values[a] ~= values[b] then return values[a] > values[b] end
    if a == b then return false end
    if numbered then
      local x, y = tonumber(members[a]), tonumber(members[b])
      if x ~= y then return x < y end
    end
    return before(members[a], members[b])
  end
  local function cut()
    table.sort(kept, first)
    for i = #kept, wanted + 1, -1 do kept[i] = nil end
    last = kept[wanted]
  end
  for i = 1, #members do
    if not last or first(i, last) then
      kept[#kept + 1] = i
      if #kept >= 2 * wanted + 64 then cut() end
    end
  end
  cut()
  local result = {}
  for i = 1, #kept do result[i] = members[kept[i]] end
  return result
end

-- Those of one word that can be among the best: of each number of occurrences the shortest texts.
local function candidates(key, wanted)
  local members, low = {}, '-inf'
  while true do
    local found = call('ZRANGEBYSCORE', key, low, '+inf', 'LIMIT', 0, 1, 'WITHSCORES')
    if #found == 0 then return members end
    local times = math.floor((LENGTHS - 1 - tonumber(found[2])) / LENGTHS)
    local high = digits(LENGTHS - 1 - times * LENGTHS)
    local group = call('ZRANGEBYSCORE', key, low, high, 'LIMIT', 0, wanted)
    for i = 1, #group do members[#members + 1] = group[i] end
    low = '(' .. high
  end
end

-- The direction is followed by the kind of id that decides between equals.
straight['bm25'] = function(root, source, direction, offset, limit)
  local wanted = offset + limit
  if string.sub(direction, 1, 1) ~= 'd' or wanted < 1 or wanted > 10000 then return end
  local members, total
  local _, word = string.match(source, '^w (%d+) (%d+) %S+$')
  if word and direction == 'd@' and root.kind == '#' and root.key == KEYS[tonumber(word)] and root.low == '-inf' then
    members, total = candidates(root.key, wanted), call('ZCARD', root.key)
  else
    members = collect(root)
    total = #members
  end
  local found, result = best(members, arrangements['bm25'](members, source), wanted, direction == 'd%'), {}
  for i = offset + 1, #found do result[#result + 1] = found[i] end
  return result, total
end
