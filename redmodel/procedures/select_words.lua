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
      add_new(result, seen, call('ZRANGE', words[i], 0, -1))
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
  local n = math.max(1, call('HLEN', texts) - 1)
  local average = length_of(call('HGET', texts, '')) / n
  local with = math.min(call('ZCARD', word), n)
  local rarity = weight * math.log(1 + (n - with + 0.5) / (with + 0.5))
  return function(score)
    local times = math.floor((LENGTHS - 1 - score) / LENGTHS)
    local length = score + times * LENGTHS
    if average <= 0 then return 0 end -- not so, unless another program has been here
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

-- Of the members those that come first by value, the largest first, and then by id, as many as wanted; and their values.
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
  local found, worth = {}, {}
  for i = 1, #kept do found[i], worth[i] = members[kept[i]], values[kept[i]] end
  return found, worth
end

-- The occurrences of a word by their number: from which place to which they stand in its sorted set, the shortest text first.
local function groups_of(key)
  local groups, low = {}, '-inf'
  while true do
    local found = call('ZRANGEBYSCORE', key, low, '+inf', 'LIMIT', 0, 1, 'WITHSCORES')
    if #found == 0 then return groups end
    local head = tonumber(found[2])
    local times = math.floor((LENGTHS - 1 - head) / LENGTHS)
    local high = digits(LENGTHS - 1 - times * LENGTHS)
    groups[#groups + 1] = {at = call('ZCOUNT', key, '-inf', '(' .. digits(head)), stop = call('ZCOUNT', key, '-inf', high), head = head}
    low = '(' .. high
  end
end

-- How many have all, or any, of the words; nil where a server can't tell that fast.
local function how_many(all, keys)
  if #keys > 4 then return end
  local total = 0
  for choice = 1, 2 ^ #keys - 1 do
    local chosen, rest = {}, choice
    for i = 1, #keys do
      if rest % 2 == 1 then chosen[#chosen + 1] = keys[i] end
      rest = math.floor(rest / 2)
    end
    if not all or #chosen == #keys then
      local n = #chosen == 1 and call('ZCARD', chosen[1]) or redis.pcall('ZINTERCARD', #chosen, unpack(chosen)) -- since 7.0
      if type(n) ~= 'number' then return end
      total = total + (not all and #chosen % 2 == 0 and -n or n)
    end
  end
  return total
end

-- The best of those that have all, or any, of common words, without a look at most of them: each word's occurrences are read
-- from the weightiest down, until what is left of all words together weighs less than what was found.
local function weightiest(all, terms, wanted, numbered)
  local members, values, seen, ended = {}, {}, {}, false
  for i = 1, #terms do
    local term = terms[i]
    term.groups = groups_of(term.key)
    for j = 1, #term.groups do term.groups[j].weight = term.weigh(term.groups[j].head) end
  end
  repeat
    local fresh, left = {}, 0
    for i = 1, #terms do
      local term, top = terms[i], nil
      for j = 1, #term.groups do
        local group = term.groups[j]
        if group.at < group.stop and (not top or group.weight > top.weight) then top = group end
      end
      if top then
        local page = call('ZRANGE', term.key, top.at, math.min(top.at + 99, top.stop - 1), 'WITHSCORES')
        top.at = top.at + 100
        for j = 1, #page, 2 do
          if not seen[page[j]] then
            seen[page[j]] = true
            fresh[#fresh + 1] = page[j]
          end
        end
        top.weight = term.weigh(tonumber(page[#page]))
      end
      local most = 0
      for j = 1, #term.groups do
        local group = term.groups[j]
        if group.at < group.stop then most = math.max(most, group.weight) end
      end
      left = left + most
      if all and most == 0 then ended = true end -- who has all words was seen
    end
    if left == 0 then ended = true end
    local sums, had = {}, {}
    for i = 1, #fresh do sums[i], had[i] = 0, 0 end
    for i = 1, #terms do
      local scores = pieces('ZMSCORE', terms[i].key, fresh)
      for j = 1, #fresh do
        if scores[j] then sums[j], had[j] = sums[j] + terms[i].weigh(tonumber(scores[j])), had[j] + 1 end
      end
    end
    for i = 1, #fresh do
      if not all or had[i] == #terms then members[#members + 1], values[#values + 1] = fresh[i], sums[i] end
    end
    members, values = best(members, values, wanted, numbered)
  until ended or (#members == wanted and values[wanted] > left * 1.000000001)
  return members
end

-- The terms of an order, if they are words and the conditions are that all, or any, of them are there.
local function same_words(root, source)
  local nodes_of, wanted, terms = root, {}, {}
  if root.kind == '#' then nodes_of = {root} elseif root.kind ~= '&' and root.kind ~= '|' then return end
  for i = 1, #nodes_of do
    local node = nodes_of[i]
    if node.kind ~= '#' or node.low ~= '-inf' or node.high ~= '+inf' then return end
    wanted[node.key] = true
  end
  for kind, texts, word, weight in string.gmatch(source, '(%a) (%d+) (%S+) (%S+)') do
    local key = kind == 'w' and KEYS[tonumber(word)]
    if not key or not wanted[key] then return end
    terms[#terms + 1] = {key = key, texts = KEYS[tonumber(texts)], weight = tonumber(weight)}
  end
  return #terms == #nodes_of and terms
end

-- The direction is followed by the kind of id that decides between equals.
straight['bm25'] = function(root, source, direction, offset, limit)
  local wanted = offset + limit
  if string.sub(direction, 1, 1) ~= 'd' or wanted < 1 or wanted > 1000 then return end
  local terms, numbered, members, total = same_words(root, source), direction == 'd%', nil, nil
  if terms and #terms == 1 and not numbered then
    members, total = {}, call('ZCARD', root.key)
    local groups = groups_of(root.key)
    for i = 1, #groups do
      local group = groups[i]
      local page = call('ZRANGE', root.key, group.at, math.min(group.at + wanted, group.stop) - 1)
      for j = 1, #page do members[#members + 1] = page[j] end
    end
  elseif terms then
    local keys, least, sum = {}, math.huge, 0
    for i = 1, #terms do
      keys[i] = terms[i].key
      local n = call('ZCARD', keys[i])
      least, sum = math.min(least, n), sum + n
    end
    local all = root.kind == '&'
    if (all and least or sum) > 2000 then total = how_many(all, keys) end
    if total then
      for i = 1, #terms do terms[i].weigh = weigher(terms[i].texts, terms[i].key, terms[i].weight) end
      members = weightiest(all, terms, wanted, numbered)
    end
  end
  if not members then
    members = collect(root)
    total = #members
  end
  local found, result = best(members, arrangements['bm25'](members, source), wanted, numbered), {}
  for i = offset + 1, #found do result[#result + 1] = found[i] end
  return result, total
end
