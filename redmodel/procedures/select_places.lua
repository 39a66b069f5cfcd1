-- Which records lie in a shape, and how far they are from a place. The cells of places are numbers of 52 bits, in which
-- those of latitude and longitude stand in turn. A node: 'o' key n (low high whole)... then the shape, 'c' longitude
-- latitude radius or 'b' west south east north, in cells. An order: 'o', of which the source is key longitude latitude.
local CELLS = 67108864
local rows, columns

-- The row and the column of a number's cell, eight bits at a time.
local function cell(number)
  if not rows then
    rows, columns = {}, {}
    for byte = 0, 255 do
      local row, column, rest = 0, 0, byte
      for bit = 0, 3 do
        row = row + (rest % 2) * 2 ^ bit
        rest = math.floor(rest / 2)
        column = column + (rest % 2) * 2 ^ bit
        rest = math.floor(rest / 2)
      end
      rows[byte], columns[byte] = row, column
    end
  end
  local north, east, weight = 0, 0, 1
  for _ = 1, 7 do
    local byte = number % 256
    north, east = north + rows[byte] * weight, east + columns[byte] * weight
    number, weight = (number - byte) / 256, weight * 16
  end
  return east, north
end

local DEGREE = math.pi / 180.0

-- The metres from the middle of a number's cell to a place, in whole millimetres: see arithmetic/places.py.
local function metres(number, longitude, latitude)
  local east, north = cell(number)
  local x = (east + 0.5) / CELLS * (2 * 180.0) - 180.0
  local y = (north + 0.5) / CELLS * (2 * 85.05112878) - 85.05112878
  local here, there = y * DEGREE, latitude * DEGREE
  local u = math.sin((there - here) / 2)
  local v = math.sin((longitude * DEGREE - x * DEGREE) / 2)
  local far = 2.0 * 6372797.560856 * math.asin(math.sqrt(u * u + math.cos(here) * math.cos(there) * v * v))
  return math.floor(far * 1000.0 + 0.5) / 1000.0
end

local function holds(node, number)
  if node.radius then return metres(number, node.longitude, node.latitude) <= node.radius end
  local east, north = cell(number)
  if north < node.south or north > node.north then return false end
  if node.west <= node.east then return east >= node.west and east <= node.east end
  return east >= node.west or east <= node.east
end

nodes.o = {
  parse = function(node)
    node.key = KEYS[tonumber(ARGV[at])]
    at = at + 1
    node.ranges = list(3)
    if ARGV[at] == 'c' then
      node.longitude, node.latitude, node.radius = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
      at = at + 4
    else
      node.west, node.south = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
      node.east, node.north = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
      at = at + 5
    end
  end,
  estimate = function(node)
    local n = 0
    for i = 1, #node.ranges, 3 do n = n + call('ZCOUNT', node.key, node.ranges[i], node.ranges[i + 1]) end
    return n
  end,
  collect = function(node)
    local result, n = {}, 0
    for i = 1, #node.ranges, 3 do
      local low, high = node.ranges[i], node.ranges[i + 1]
      if node.ranges[i + 2] == '1' then
        local found = call('ZRANGEBYSCORE', node.key, low, high)
        for j = 1, #found do result[n + j] = found[j] end
        n = n + #found
      else
        local found = call('ZRANGEBYSCORE', node.key, low, high, 'WITHSCORES')
        for j = 2, #found, 2 do
          if holds(node, tonumber(found[j])) then
            n = n + 1
            result[n] = found[j - 1]
          end
        end
      end
    end
    return result
  end,
  marks = function(node, members)
    local scores, result = pieces('ZMSCORE', node.key, members), {}
    for i = 1, #members do result[i] = scores[i] and holds(node, tonumber(scores[i])) end
    return result
  end,
}

arrangements.o = function(members, source)
  local place, longitude, latitude = string.match(source, '^(%S+) (%S+) (%S+)$')
  longitude, latitude = tonumber(longitude), tonumber(latitude)
  local found = pieces('ZMSCORE', KEYS[tonumber(place)], members)
  for i = 1, #members do found[i] = found[i] and metres(tonumber(found[i]), longitude, latitude) end
  return found
end
