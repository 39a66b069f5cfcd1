-- Changes items of one collection of a living record, in the JSON text that its field holds: no item is read as a number,
-- so none loses a digit. Index entries of the items are joined and left in the same step.
-- KEYS: record, T@ids, T@log, T@expires, then the key of each index entry that the items stand for, all of sets.
-- ARGV: nonce and operation; field; text of an absent field ('' if there is none); 'least most ttl items', how many items
-- there may be, the milliseconds of a field that expires ('-' for none), and how many texts follow; the new version, or
-- ''; 't' if the new text is wanted; then the texts, and the entries as they stand in the log.
-- Operations: 'a' append, 'p' prepend, '+' add where there is no equal text, '-' discard all equal texts; of objects: 'k'
-- put, the texts being keys and values by turns, 'd' discard keys.
-- Replies {'done', 1 or 0 (nothing to change), version before, new text}, or {why, ...} with nothing written.
local record, ids, log = KEYS[1], KEYS[2], KEYS[3]
local id, side = string.sub(record, #ids - 2), string.sub(ids, 1, -4)
local nonce, operation = string.sub(ARGV[1], 1, 8), string.sub(ARGV[1], 9)
local field, base, version, wanted = ARGV[2], ARGV[3], ARGV[5], ARGV[6] == 't'
local least, most, ttl, count = string.match(ARGV[4], '^(%S+) (%S+) (%S+) (%d+)$')
local last = 6 + count
local object = operation == 'k' or operation == 'd'

local function check(key, want)
  local found = call('TYPE', key).ok
  if found ~= want and found ~= 'none' then
    return {'wrongtype', key, found}
  end
end

local function trim(text)
  local first, final = string.byte(text), string.byte(text, -1)
  if first and (first <= 32 or final <= 32) then return string.match(text, '^[ \t\r\n]*(.-)[ \t\r\n]*$') end
  return text
end

-- Where the string that begins at `at` ends; nil if it does not.
local function string_end(text, at)
  repeat
    at = string.find(text, '["\\]', at + 1)
    local escape = at and string.byte(text, at) == 92
    if escape then at = at + 1 end
  until not escape
  return at
end

-- The texts between the brackets of an array or an object; nil for what is neither.
local function split(text)
  local parts, depth, start, at, final = {}, 0, 2, 2, #text
  while true do
    at = string.find(text, '[][{}",]', at)
    if not at then return nil end
    local c = string.byte(text, at)
    if c == 34 then
      at = string_end(text, at)
      if not at then return nil end
    elseif c == 91 or c == 123 then
      depth = depth + 1
    elseif c == 44 or at == final then
      if depth == 0 then
        local part = trim(string.sub(text, start, at - 1))
        if part ~= '' then
          parts[#parts + 1] = part
        elseif c == 44 or #parts > 0 then
          return nil
        end
        start = at + 1
      end
      if at == final then return depth == 0 and parts or nil end
    else
      depth = depth - 1
      if depth < 0 then return nil end
    end
    at = at + 1
  end
end

-- The key of a member of an object as it stands there; nil if it has none.
local function key_of(part)
  local at = string.byte(part) == 34 and string_end(part, 1)
  return at and string.find(part, '^[ \t\r\n]*:', at + 1) and string.sub(part, 1, at)
end

local found = call('TYPE', record).ok
if found == 'none' then return {'missing'} end
if found ~= 'hash' then return {'wrongtype', record, found} end
local current = try('HGET', log, id)
if type(current) == 'table' then return check(log, 'hash') end
local value = call('HGET', record, field)
local before = version ~= '' and call('HGET', record, '@version') or ''
if current and string.sub(current, 1, 8) == nonce then
  return {'done', 1, string.sub(before, 17), wanted and value or ''}
end
local now
if ttl ~= '-' then
  now = clock()
  local ends = call('HGET', record, field .. '@expires')
  if ends and tonumber(ends) <= now then value = false end
end
if not value then value = base end
if value == '' or value == '\0' then return {'null'} end
local lacks, unknown = lacking(side, nonce)
if unknown then return unknown end
for i = 5, #KEYS do
  local wrong = check(KEYS[i], 'set')
  if wrong then return wrong end
end

value = trim(value)
local open, close = object and '{' or '[', object and '}' or ']'
if #value < 2 or string.sub(value, 1, 1) ~= open or string.sub(value, -1) ~= close then return {'text'} end
local changed, new = last > 6, nil
if (operation == 'a' or operation == 'p') and least == '-' and most == '-' then
  local body, more = trim(string.sub(value, 2, -2)), table.concat(ARGV, ',', 7, last)
  if not changed then
    new = value
  elseif body == '' then
    new = open .. more .. close
  else
    new = open .. (operation == 'a' and body .. ',' .. more or more .. ',' .. body) .. close
  end
else
  local parts = split(value)
  if not parts then return {'text'} end
  local places, kept = {}, {}
  for i = 1, #parts do
    local name = parts[i]
    if object then name = key_of(name) end
    if not name then return {'text'} end
    places[name] = i
  end
  if operation == 'a' then
    for i = 7, last do parts[#parts + 1] = ARGV[i] end
    kept = parts
  elseif operation == 'p' then
    for i = 7, last do kept[#kept + 1] = ARGV[i] end
    for i = 1, #parts do kept[#kept + 1] = parts[i] end
  elseif operation == '+' then
    changed, kept = false, parts
    for i = 7, last do
      if not places[ARGV[i]] then
        places[ARGV[i]], changed = true, true
        parts[#parts + 1] = ARGV[i]
      end
    end
  elseif operation == 'k' then
    changed, kept = false, parts
    for i = 7, last, 2 do
      local at, member = places[ARGV[i]] or #parts + 1, ARGV[i] .. ':' .. ARGV[i + 1]
      changed = changed or parts[at] ~= member
      parts[at], places[ARGV[i]] = member, at
    end
  else
    local unwanted = {}
    for i = 7, last do unwanted[ARGV[i]] = true end
    for i = 1, #parts do
      if not unwanted[object and key_of(parts[i]) or parts[i]] then kept[#kept + 1] = parts[i] end
    end
    changed = #kept < #parts
  end
  if changed and most ~= '-' and #kept > tonumber(most) then return {'most', digits(#kept)} end
  if changed and least ~= '-' and #kept < tonumber(least) then return {'least', digits(#kept)} end
  new = changed and open .. table.concat(kept, ',') .. close or value
end
if not changed then return {'done', 0, string.sub(before, 1, 16), wanted and new or ''} end

local entries = current and string.sub(current, 10) or ''
for i = last + 1, #ARGV do
  local from, to = string.find(entries, ARGV[i], 1, true)
  if operation ~= '-' then
    if not from then entries = entries .. ARGV[i] end
  elseif from then
    entries = string.sub(entries, 1, from - 1) .. string.sub(entries, to + 1)
  end
end
call('HSET', log, id, nonce .. 'u' .. entries)
if lacks ~= '' then wait(side, id, lacks) end
for i = 5, #KEYS do call(operation == '-' and 'SREM' or 'SADD', KEYS[i], id) end
call('HSET', record, field, new)
if now then call('HSET', record, field .. '@expires', digits(now + ttl)) end
if version ~= '' then call('HSET', record, '@version', version .. string.sub(before, 1, 16)) end
return {'done', 1, string.sub(before, 1, 16), wanted and new or ''}
