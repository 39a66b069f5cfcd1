-- Deletes one record, and does what the models that refer to it declare for that case: a record that refers to it stands in
-- the way, goes too (and so on from there), or refers to nothing from now on.
-- KEYS: those of delete.lua, then T@ids of every model that may be touched, the record's own first.
-- ARGV: id; how many records may be touched; 'a' all or nothing, or 'p' a part, in which nothing goes that is referred to;
-- new version of 16 characters; the version that the record must have ('' for any); a nonce for each of the
-- models; how many records are known to go later, and the place of the model and the id of each; then seven words for
-- each rule: places among the models of the one referred to and of
-- the one that refers, path, 'r' restrict 'c' cascade 'n' null, the field that holds the id ('' where it lies deeper), and
-- what stands for None in it ('' for no field), and the meaning of the index.
-- Replies {'done', 1 or 0 (it was not there), records touched}; {'more', records touched} of a part; or with nothing written
-- {'many'}, {'moved', the server's time, fields and values of the record}, {'deeper', place of a model, id} where a part must begin further down, {'restrict', place and id referred to,
-- place and id that refers, path}, or {'wrongtype', key, found}.
local DEPTH = 100
local most, all, version, expected = tonumber(ARGV[2]), ARGV[3] == 'a', ARGV[4], ARGV[5]
local sides, rules, coming = {}, {}, {}
for i = 5, #KEYS do sides[i - 4] = string.sub(KEYS[i], 1, -4) end
local function nonce_of(m) return ARGV[5 + m] end
local later = 6 + #sides
local first = later + 1 + 2 * ARGV[later]
for i = first, #ARGV, 7 do
  local rule = {of = tonumber(ARGV[i]), by = tonumber(ARGV[i + 1]), path = ARGV[i + 2], action = ARGV[i + 3]}
  rule.field, rule.none = ARGV[i + 4], ARGV[i + 5]
  local side, reader = sides[rule.by], string.format('%02x%02x%02x', string.byte(nonce_of(rule.by), 6, 8))
  local why = unready(side, reader, rule.path, ARGV[i + 6], call('HGET', side .. 'schema', 'index:' .. rule.path))
  if why then return why end
  rules[#rules + 1] = rule
  if rule.action == 'c' then coming[rule.by] = true end
end

local function token(id)
  return (string.gsub(id, '[%z\1-\31\127~]', function(odd) return string.format('~%02x', string.byte(odd)) end))
end

local function record_of(m, id)
  return string.sub(sides[m], 1, -2) .. ':' .. id
end

local budget, state, refused, short, barred, deeper = most, {}, nil, false, nil, nil
local doomed, nulls, dead, bars = {}, {}, {}, {}
for i = later + 1, first - 1, 2 do state[ARGV[i] .. ':' .. ARGV[i + 1]] = 'way' end

-- Goes down to what refers to a record, and lists what is to be done, the last first. Says whether the record may go then.
local function visit(m, id, depth)
  local place, whole = m .. ':' .. id, true
  state[place] = 'way'
  refused = refused or wrong(record_of(m, id), 'hash') or look_traces(sides[m], id)
  for n = 1, #rules do
    local rule = rules[n]
    local key = sides[rule.by] .. rule.path .. ':' .. token(id)
    refused = refused or (rule.of == m and wrong(key, 'set'))
    if refused then return false end
    local limit = rule.action == 'r' and most + 1 or budget
    local members = {}
    if rule.of == m then
      local count = call('SCARD', key)
      if count > 0 and rule.action == 'c' and depth == DEPTH then limit = 0 end
      if count <= limit then
        members = call('SMEMBERS', key)
      else
        if rule.action ~= 'r' then
          if all then short = true return false end
          whole, deeper = false, deeper or {'deeper', m, id}
        end
        if limit > 0 then members = call('SRANDMEMBER', key, limit) end
      end
    end
    for i = 1, #members do
      local other = members[i]
      local record, spot = record_of(rule.by, other), rule.by .. ':' .. other
      local held = rule.field ~= '' and try('HGET', record, rule.field)
      local kind = call('TYPE', record).ok
      if kind == 'none' then
        dead[#dead + 1] = {sides[rule.by], other}
      elseif rule.field == '' or held == (string.byte(id) == 0 and '\0' or '') .. id then
        if rule.action == 'r' then
          if state[spot] ~= 'way' and state[spot] ~= 'doomed' then
            local bar = {'restrict', m, id, rule.by, other, rule.path}
            bars[#bars + 1] = {spot, bar}
            if not coming[rule.by] then refused = bar end
            if not all then whole, barred = false, barred or bar end
          end
        elseif rule.action == 'n' then
          budget = budget - 1
          local lacks, unknown = lacking(sides[rule.by], nonce_of(rule.by))
          nulls[#nulls + 1] = {rule, other, id, spot, lacks}
          refused = refused or unknown or wrong(record, 'hash') or look_traces(sides[rule.by], other)
            or wrong(sides[rule.by] .. rule.path .. ':~null', 'set')
        elseif not state[spot] then
          budget = budget - 1
          if budget < 0 then
            if all then short = true return false end
            whole, deeper = false, deeper or {'deeper', m, id}
          elseif not visit(rule.by, other, depth + 1) then
            whole = false
          end
        elseif state[spot] == 'stays' then
          whole = false
        end
        if refused or short then return false end
      end
    end
  end
  state[place] = whole and 'doomed' or 'stays'
  if whole then doomed[#doomed + 1] = {m, id} end
  return whole
end

local held = expected ~= '' and try('HGET', KEYS[1], '@version')
if type(held) == 'string' and string.sub(held, 1, 16) ~= expected then
  return {'moved', digits(clock()), call('HGETALL', KEYS[1])}
end
local existed = call('EXISTS', KEYS[1])
local over = visit(1, ARGV[1], 0)
if refused then return refused end
if all then
  if short then return {'many'} end
  for i = 1, #bars do
    if state[bars[i][1]] ~= 'doomed' then return bars[i][2] end
  end
elseif not over and #doomed + #nulls + #dead == 0 then
  return barred or deeper
end

-- What a full server would refuse comes before what it would let pass.
local touched = 0
for i = 1, #nulls do
  local rule, other, id, spot = nulls[i][1], nulls[i][2], nulls[i][3], nulls[i][4]
  if state[spot] ~= 'doomed' then
    local side, record = sides[rule.by], record_of(rule.by, other)
    local entry, null = '=' .. rule.path .. '\31' .. token(id) .. '\30', '=' .. rule.path .. '\31~null\30'
    local text = string.sub(call('HGET', side .. 'log', other) or '', 10)
    local first, last = string.find(text, entry, 1, true)
    if first then text = string.sub(text, 1, first - 1) .. string.sub(text, last + 1) end
    if not string.find(text, null, 1, true) then text = text .. null end
    -- What is unique or indexed together with others stands there no more where one of them is None.
    local freed = {}
    for whole, kind, path, held in string.gmatch(text, '((.)([^\31]*)\31([^\30]*)\30)') do
      if (kind == '!' or kind == '#') and path ~= rule.path and string.find('+' .. path .. '+', '+' .. rule.path .. '+', 1, true) then
        freed[#freed + 1] = {whole, path, held, kind}
      end
    end
    for j = 1, #freed do
      first, last = string.find(text, freed[j][1], 1, true)
      text = string.sub(text, 1, first - 1) .. string.sub(text, last + 1) .. '=' .. freed[j][2] .. '\31~null\30'
    end
    call('HSET', side .. 'log', other, nonce_of(rule.by) .. 'u' .. text)
    wait(side, other, nulls[i][5])
    call('SADD', side .. rule.path .. ':~null', other)
    call('SREM', side .. rule.path .. ':' .. token(id), other)
    for j = 1, #freed do
      leave(side, other, freed[j][4], freed[j][2], freed[j][3])
      try('SADD', side .. freed[j][2] .. ':~null', other)
    end
    if rule.none == '' then call('HDEL', record, rule.field) else call('HSET', record, rule.field, rule.none) end
    local before = call('HGET', record, '@version')
    if before then call('HSET', record, '@version', version .. string.sub(before, 1, 16)) end
    touched = touched + 1
  end
end
for i = 1, #dead do drop(dead[i][1], dead[i][2]) end
for i = 1, #doomed do
  call('DEL', record_of(doomed[i][1], doomed[i][2]))
  drop(sides[doomed[i][1]], doomed[i][2])
  touched = touched + 1
end
if call('EXISTS', KEYS[4]) == 1 then purge(sides[1], clock(), 16) end
if over then return {'done', existed, touched - 1} end
return {'more', touched + #dead}
