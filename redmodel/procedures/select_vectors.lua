-- How near the records' vectors are to another. Orders: 'vc' by the cosine, 'vd' by the dot product, 've' by the distance;
-- the source is the field, NUL, and the vector as doubles. A vector is stored as 32-bit floats, or still as a JSON list.
local WORK = 250000 -- numbers that one call looks at: some ten milliseconds

-- Not every server that speaks Redis has struct; where it lacks, the caller does the work.
local able = pcall(function() return struct.unpack end)

local function doubles(packed)
  local numbers, size = {}, #packed / 8
  for i = 1, size do numbers[i] = struct.unpack('<d', packed, i * 8 - 7) end
  return numbers, size
end

local function from_json(text, size)
  if string.sub(text, 1, 1) ~= '[' or string.sub(text, -1) ~= ']' then return nil end
  local ok, found = pcall(cjson.decode, text)
  if not ok or type(found) ~= 'table' or #found ~= size then return nil end
  for i = 1, size do
    if type(found[i]) ~= 'number' then return nil end
    found[i] = struct.unpack('<f', struct.pack('<f', found[i]))
  end
  return found
end

local EIGHT = '<' .. string.rep('f', 8)

local function nearness(metric, asked, size, stored)
  local old = from_json(stored, size)
  if not old and #stored ~= 4 * size then return false end
  local product, square = 0, 0
  local i = 1
  if metric == 'e' then
    while i <= size do
      local difference = asked[i] - (old and old[i] or struct.unpack('<f', stored, i * 4 - 3))
      square = square + difference * difference
      i = i + 1
    end
    return math.sqrt(square)
  end
  if not old then
    while i + 7 <= size do
      local a, b, c, d, e, f, g, h = struct.unpack(EIGHT, stored, i * 4 - 3)
      product = product + asked[i] * a + asked[i + 1] * b + asked[i + 2] * c + asked[i + 3] * d
        + asked[i + 4] * e + asked[i + 5] * f + asked[i + 6] * g + asked[i + 7] * h
      square = square + a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h
      i = i + 8
    end
  end
  while i <= size do
    local one = old and old[i] or struct.unpack('<f', stored, i * 4 - 3)
    product, square = product + asked[i] * one, square + one * one
    i = i + 1
  end
  if metric == 'd' then return product end
  return product, square
end

for _, metric in ipairs({'c', 'd', 'e'}) do
  local kind = 'v' .. metric
  arrangements[kind] = function(members, source)
    local stop = string.find(source, '\0', 1, true)
    local field = string.sub(source, 1, stop - 1)
    local asked, size = doubles(string.sub(source, stop + 1))
    local length = 0
    for i = 1, size do length = length + asked[i] * asked[i] end
    length = math.sqrt(length)
    local found = {}
    for i = 1, #members do
      local stored = call('HGET', records .. members[i], field)
      local product, square = false, nil
      if stored then product, square = nearness(metric, asked, size, stored) end
      if square then product = square > 0 and product / (length * math.sqrt(square)) end
      found[i] = product
    end
    return found
  end
  bounds[kind] = function(count, source)
    local stop = string.find(source, '\0', 1, true)
    return not able or count * (#source - stop) / 8 > WORK
  end
end
