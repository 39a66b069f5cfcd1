-- Adds up the lengths of all texts of one index. KEYS: T@path. ARGV: 'm' sets the sum right, 'l' only looks.
-- Replies {the sum that stands there, the sum that should}, or the refusal of a key of another type.
local refused = wrong(KEYS[1], 'hash')
if refused then return refused end
local said, sum, cursor, seen = call('HGET', KEYS[1], ''), 0, '0', {}
repeat
  local page = call('HSCAN', KEYS[1], cursor, 'COUNT', 1000)
  cursor = page[1]
  for i = 1, #page[2], 2 do
    local id = page[2][i]
    if id ~= '' and not seen[id] then
      seen[id] = true
      sum = sum + length_of(page[2][i + 1])
    end
  end
until cursor == '0'
if next(seen) == nil then
  if said and ARGV[1] == 'm' then call('DEL', KEYS[1]) end
elseif said ~= digits(sum) and ARGV[1] == 'm' then
  call('HSET', KEYS[1], '', digits(sum))
end
return {said or '', next(seen) and digits(sum) or ''}
