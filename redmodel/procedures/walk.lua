-- One step through all records that meet the conditions, in no order: a bounded amount of work, whatever their number.
-- ARGV: flags, the place among KEYS of the set that is walked (0 at first), its cursor, members to look at, the most that is
-- answered at once, columns (counted list), then the program.
-- Replies {cursor, '0' at the end, time in milliseconds or 0, rows, ids of further records, place, members of the set}. Few
-- records are all found at the first step, at one moment: rows of as many as are looked at in a step, and the ids of the
-- others. Of many the first step only chooses the set: its cursor is '-'.
local place, cursor, step, few = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
at = 6
local columns = list(1)
local root = parse()
if refusal then return refusal end

local members
if place == 0 then
  place = smallest(root)
  if estimate(root) <= few then cursor, members = '0', living(collect(root)) else cursor, members = '-', {} end
else
  local found = call('SSCAN', KEYS[place], cursor, 'COUNT', step)
  cursor, members = found[1], living(found[2])
  members = only(members, marks(root, members))
end

local rows, rest, stale = {}, {}, {}
for i = 1, #members do
  local id = members[i]
  if #rows >= step then
    rest[#rest + 1] = id
  else
    local row = row_of(id, columns)
    if not row then
      stale[#stale + 1] = id
    else
      rows[#rows + 1] = row
    end
  end
end
if may_write then
  for i = 1, #stale do drop(side, stale[i]) end
end
return {cursor, digits(now), rows, rest, place, call('SCARD', KEYS[place])}
