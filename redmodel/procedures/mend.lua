-- Makes the index entries, the log, the membership and the expiry of one record what its own values say, or only tells
-- what is wrong. Nothing is done, and {'moved'} replied, unless the record holds just what the caller has seen.
-- KEYS: record, T@ids, T@log, T@expires, then the key of each entry that the record should have.
-- ARGV: nonce and mode ('m' mends, 'l' only looks); 'state columns suspects': '+' or '-' for a record that was seen
-- or was not, the others counting what follows: columns, each followed by '+value' or '-' for none; then the entries as
-- they stand in a log, each followed by its score if it is of a sorted set; then suspects, further entries that the id
-- was seen in.
-- Replies {'moved'}, {'wrongtype', key, found}, or what was found, five words for each: what, kind, path, token, detail.
-- what: 'missing', 'misplaced', 'stale' (no record), 'due' (its time is over, which is no fault), 'conflict' (detail: the
-- living owner of a unique value), 'taken' (detail: its dead owner). path 'ids', 'log' or 'expires' without a kind is
-- bookkeeping.
local record, ids, log, expires = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, side = string.sub(record, #ids - 2), string.sub(ids, 1, -4)
local records = string.sub(side, 1, -2) .. ':'
local write = string.sub(ARGV[1], 9) == 'm'
local state, columns, suspects = string.match(ARGV[2], '^(%S+) (%d+) (%d+)$')
local SLACK = 20 -- milliseconds by which two clocks that mean the same may differ

local found = call('TYPE', record).ok
if found ~= (state == '+' and 'hash' or 'none') then return {'moved'} end
local last_column = 2 + 2 * columns
for i = 3, last_column, 2 do
  local value = call('HGET', record, ARGV[i])
  if (value and '+' .. value or '-') ~= ARGV[i + 1] then return {'moved'} end
end

local refused = wrong(ids, 'set') or wrong(log, 'hash') or wrong(expires, 'zset')
if refused then return refused end

local findings = {}
local function tell(what, kind, path, token, detail)
  local n = #findings
  findings[n + 1], findings[n + 2], findings[n + 3] = what, kind, path
  findings[n + 4], findings[n + 5] = token, detail or ''
end

-- Some Luas do not read infinity.
local function number(score)
  return tonumber(score) or (score == 'inf' and math.huge) or (score == '-inf' and -math.huge)
end

local function holds(kind, path, token)
  local key = entry_key(side, kind, path, token)
  if kind == '=' then return try('SISMEMBER', key, id) == 1 end
  if kind == '#' or kind == 'w' then return type(try('ZSCORE', key, id)) == 'string' end
  if kind == 't' then return try('HEXISTS', key, id) == 1 end
  if kind == '<' then return type(try('ZSCORE', key, token .. '\0' .. id)) == 'string' end
  return try('HGET', key, token) == id
end

local at, wanted, last_entry = last_column, {}, last_column
for i = 5, #KEYS do
  at = at + 1
  local kind = string.sub(ARGV[at], 1, 1)
  refused = wrong(KEYS[i], entry_type(kind))
  if refused then return refused end
  wanted[ARGV[at]] = true
  if has_value(kind) then at = at + 1 end
end
last_entry = at

-- The entries that the id stands in and should not.
local now = clock()
local current, score = call('HGET', log, id), call('ZSCORE', expires, id)
local deadline = number(score)
local over = state == '-' and deadline and deadline <= now
local others, seen = {}, {}
local function consider(entry, kind, path, token, what)
  if wanted[entry] or seen[entry] then return end
  seen[entry] = true
  if holds(kind, path, token) then
    others[#others + 1] = {kind, path, token}
    tell(what, kind, path, token)
  end
end
if current then
  for entry, kind, path, token in string.gmatch(string.sub(current, 10), '((.)([^\31]*)\31([^\30]*)\30)') do
    consider(entry, kind, path, token, state == '+' and 'misplaced' or over and 'due' or 'stale')
  end
end
for i = last_entry + 1, last_entry + suspects do
  local kind, path, token = string.match(ARGV[i], ENTRY)
  consider(ARGV[i], kind, path, token, state == '+' and 'misplaced' or 'stale')
end

if state == '-' then
  local what = over and 'due' or 'stale'
  if current then tell(what, '', 'log', '') end
  if call('SISMEMBER', ids, id) == 1 then tell(what, '', 'ids', '') end
  if score then tell(what, '', 'expires', '') end
  if write then
    drop(side, id)
    for i = 1, #others do leave(side, id, others[i][1], others[i][2], others[i][3]) end
  end
  return findings
end

local joins, texts, kept, text, entries = {}, {}, {}, {}, 0
at = last_column
for i = 5, #KEYS do
  at = at + 1
  local entry, place, blocked = ARGV[at], at, false
  local kind, path, token = string.match(entry, ENTRY)
  if kind == '=' then
    if call('SISMEMBER', KEYS[i], id) == 0 then
      tell('missing', kind, path, token)
      joins[#joins + 1] = {'SADD', KEYS[i], id}
    end
  elseif kind == 'w' or kind == 't' then
    at = at + 1
    local there = kind == 'w' and call('ZSCORE', KEYS[i], id) or kind == 't' and call('HGET', KEYS[i], id)
    local listed = kind == 't' or type(try('ZSCORE', side .. path .. ':~words', token)) == 'string'
    local right = there and (kind == 't' and there == ARGV[at] or kind == 'w' and number(there) == number(ARGV[at]))
    if not right or not listed then
      tell(there and listed and 'misplaced' or 'missing', kind, path, token)
      texts[#texts + 1] = {KEYS[i], entry, ARGV[at]}
      if not listed then joins[#joins + 1] = {'ZADD', side .. path .. ':~words', 0, token} end
    end
  elseif kind == '#' then
    at = at + 1
    local there = call('ZSCORE', KEYS[i], id)
    if not there or number(there) ~= number(ARGV[at]) then
      tell(there and 'misplaced' or 'missing', kind, path, token, there)
      joins[#joins + 1] = {'ZADD', KEYS[i], ARGV[at], id}
    end
  elseif kind == '<' then
    local there = call('ZSCORE', KEYS[i], token .. '\0' .. id)
    if there ~= '0' then
      tell(there and 'misplaced' or 'missing', kind, path, token, there)
      joins[#joins + 1] = {'ZADD', KEYS[i], 0, token .. '\0' .. id}
    end
  else
    local owner = call('HGET', KEYS[i], token)
    if owner and owner ~= id and call('EXISTS', records .. owner) == 1 then
      tell('conflict', kind, path, token, owner)
      blocked = true
    elseif owner ~= id then
      if owner then
        local past = number(call('ZSCORE', expires, owner))
        if not past or past > now then tell('taken', kind, path, token, owner) end
      end
      tell('missing', kind, path, token)
      joins[#joins + 1] = {'HSET', KEYS[i], token, id}
    end
  end
  if not blocked then
    kept[entry] = true
    entries = entries + 1
    text[#text + 1] = ARGV[place]
  end
end

local length, logged, same = 9, 0, current and true
for entry in string.gmatch(string.sub(current or '', 10), '(.[^\31]*\31[^\30]*\30)') do
  same = same and kept[entry]
  if kept[entry] then
    kept[entry] = nil
    logged = logged + 1
  end
  length = length + #entry
end
same = same and logged == entries and length == #current
if not same then tell(current and 'misplaced' or 'missing', '', 'log', '') end
if call('SISMEMBER', ids, id) == 0 then tell('missing', '', 'ids', '') end
-- Between two looks at the clock that are close to each other: a server may be held up at any point.
local left, later, moment
for _ = 1, 5 do
  now = clock()
  left = call('PTTL', record)
  later = clock()
  if later - now < 5 then break end
end
if left < 0 then
  if score then tell('stale', '', 'expires', '', score) end
elseif not deadline or deadline < now + left - SLACK or deadline > later + left + SLACK then
  tell(score and 'misplaced' or 'missing', '', 'expires', '', score)
  moment = digits(now + left)
end

if write and #findings > 0 then
  call('SADD', ids, id) -- first, as a full server refuses it, and then nothing is half written
  if not same then
    local head = current and string.match(current, '^........[cu]') or string.sub(ARGV[1], 1, 8) .. 'u'
    call('HSET', log, id, head .. table.concat(text))
  end
  for i = 1, #others do leave(side, id, others[i][1], others[i][2], others[i][3]) end
  for i = 1, #joins do try(unpack(joins[i])) end
  for i = 1, #texts do enter_text(side, id, texts[i][1], texts[i][2], texts[i][3]) end
  if left < 0 then
    if score then call('ZREM', expires, id) end
  elseif moment then
    call('ZADD', expires, moment, id)
  end
end
return findings
