-- Looking at more members than may be looked at in one go, so that no call keeps a server from others for long: each call
-- gives words with which the next goes on. Who is there from the first call to the last is seen; the total is of several
-- moments.
-- ARGV, with the flag 'p', behind the position: a counted list of how many are looked at in one go, how many in a piece, and,
-- where it goes on, the place of the walked set among KEYS, its cursor, the total so far, and the best ids so far.
local LARGE, PIECE = 50000, 20000
local begun = {}

local function resume()
  if not string.find(flags, 'p', 1, true) then return end
  begun = list(1)
  LARGE, PIECE = tonumber(begun[1]), tonumber(begun[2])
end

local function large(node)
  if #begun > 2 then return true end
  local sets = node.kind == '=' or node.kind == '&'
  for i = 1, #node do sets = sets and node[i].kind == '=' end
  -- To intersect sets costs a quarter of what it costs to look each member up.
  return estimate(node) > LARGE * (sets and 4 or 1)
end

-- The place of the smallest set in which all are that meet a node.
local function smallest(node)
  local best, size = 1, call('SCARD', ids)
  local function look(part)
    if part.kind ~= '=' then return end
    local n = call('SCARD', part.key)
    for i = 1, #KEYS do
      if n < size and KEYS[i] == part.key then best, size = i, n end
    end
  end
  look(node)
  if node.kind == '&' then
    for i = 1, #node do look(node[i]) end
  end
  return best
end

-- The total, and what `best` keeps of those that meet the node, though a set that is being resized may give some twice; or,
-- second, the reply that says how to go on.
local function in_pieces(node, best)
  local place, cursor, total = tonumber(begun[3]) or smallest(node), begun[4] or '0', tonumber(begun[5]) or 0
  local kept, looked = {}, 0
  for i = 6, #begun do kept[i - 5] = begun[i] end
  repeat
    local found = call('SSCAN', KEYS[place], cursor, 'COUNT', math.min(1000, PIECE))
    cursor, looked = found[1], looked + #found[2]
    local members = living(only(found[2], marks(node, found[2])))
    total = total + #members
    if best then kept = best(kept, members) end
  until cursor == '0' or looked >= PIECE
  if cursor == '0' then return total, nil, kept end
  local words = {digits(LARGE), digits(PIECE), digits(place), cursor, digits(total)}
  for i = 1, #kept do words[5 + i] = kept[i] end
  return nil, {-2, digits(now), words}
end
