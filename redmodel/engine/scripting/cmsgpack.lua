-- MessagePack as Redis' cmsgpack 0.4 does it.
local host, raw = ...
local byte, char, sub, floor, concat = string.byte, string.char, string.sub, math.floor, table.concat
local NESTING = 16

local fail = raw.fail

local function big_endian(value, size)
    local bytes = {}
    for at = size, 1, -1 do
        bytes[at] = char(value % 256)
        value = floor(value / 256)
    end
    return concat(bytes)
end

-- 64 bits in two halves: a double does not hold more than 53 of them at once.
local function wide(value)
    local high = floor(value / 4294967296)
    return big_endian(high % 4294967296, 4) .. big_endian(value - high * 4294967296, 4)
end

local function packed_integer(value)
    if value >= 0 then
        if value <= 127 then return char(value) end
        if value <= 0xff then return "\204" .. char(value) end
        if value <= 0xffff then return "\205" .. big_endian(value, 2) end
        if value <= 0xffffffff then return "\206" .. big_endian(value, 4) end
        return "\207" .. wide(value)
    end
    if value >= -32 then return char(256 + value) end
    if value >= -128 then return "\208" .. char(256 + value) end
    if value >= -32768 then return "\209" .. big_endian(value + 65536, 2) end
    if value >= -2147483648 then return "\210" .. big_endian(value + 4294967296, 4) end
    return "\211" .. wide(value)
end

local function packed_number(value)
    if floor(value) == value and value >= -9223372036854775808 and value < 18446744073709551616 then
        return packed_integer(value)
    end
    local failed, text = raw.bounded(host.float(value))
    if failed then fail(text) end
    return text
end

local function packed_string(value)
    local size = #value
    if size < 32 then return char(160 + size) .. value end
    if size <= 0xff then return "\217" .. char(size) .. value end
    if size <= 0xffff then return "\218" .. big_endian(size, 2) .. value end
    return "\219" .. big_endian(size, 4) .. value
end

local function is_array(value)
    local most, count = 0, 0
    for key in raw.next, value do
        if raw.type(key) ~= "number" or key <= 0 or floor(key) ~= key then return false end
        if key > most then most = key end
        count = count + 1
    end
    return most == count
end

local pack_value
local function pack_table(value, out, level)
    if is_array(value) then
        local size = #value
        if size <= 15 then out[#out + 1] = char(144 + size)
        elseif size <= 0xffff then out[#out + 1] = "\220" .. big_endian(size, 2)
        else out[#out + 1] = "\221" .. big_endian(size, 4) end
        for at = 1, size do pack_value(raw.rawget(value, at), out, level + 1) end
        return
    end
    local size = 0
    for _ in raw.next, value do size = size + 1 end
    if size <= 15 then out[#out + 1] = char(128 + size)
    elseif size <= 0xffff then out[#out + 1] = "\222" .. big_endian(size, 2)
    else out[#out + 1] = "\223" .. big_endian(size, 4) end
    for key, item in raw.next, value do
        pack_value(key, out, level + 1)
        pack_value(item, out, level + 1)
    end
end

function pack_value(value, out, level)
    local kind = raw.type(value)
    if kind == "table" and level == NESTING then kind = "nil" end
    if kind == "string" then out[#out + 1] = packed_string(value)
    elseif kind == "boolean" then out[#out + 1] = value and "\195" or "\194"
    elseif kind == "number" then out[#out + 1] = packed_number(value)
    elseif kind == "table" then pack_table(value, out, level)
    else out[#out + 1] = "\192" end
end

local function pack(...)
    local count = raw.select("#", ...)
    if count == 0 then fail("bad argument #0 to 'pack' (MessagePack pack needs input.)") end
    local out = {}
    for at = 1, count do pack_value((raw.select(at, ...)), out, 0) end
    return concat(out)
end

local MISSING, BAD = "Missing bytes in input.", "Bad data format in input."

local function number_at(text, at, size)
    if at + size - 1 > #text then fail(MISSING) end
    local value = 0
    for place = at, at + size - 1 do value = value * 256 + byte(text, place) end
    return value, at + size
end

-- As in Redis all 64-bit numbers are signed; in halves, or a double would lose their lower bits.
local function wide_at(text, at)
    local high, low
    high, at = number_at(text, at, 4)
    low, at = number_at(text, at, 4)
    if high >= 2147483648 then high = high - 4294967296 end
    return high * 4294967296 + low, at
end

local function signed(value, size)
    local whole = 256 ^ size
    return value >= whole / 2 and value - whole or value
end

local unpack_value
local function string_at(text, at, size)
    if at + size - 1 > #text then fail(MISSING) end
    return sub(text, at, at + size - 1), at + size
end
local function array_at(text, at, size)
    local result, value = {}, nil
    for place = 1, size do
        value, at = unpack_value(text, at)
        result[place] = value
    end
    return result, at
end
local function map_at(text, at, size)
    local result, key, value = {}, nil, nil
    for _ = 1, size do
        key, at = unpack_value(text, at)
        value, at = unpack_value(text, at)
        if key == nil or key ~= key then fail(BAD) end
        result[key] = value
    end
    return result, at
end

function unpack_value(text, at)
    local head = byte(text, at)
    if not head then fail(MISSING) end
    at = at + 1
    local value
    if head < 128 then return head, at end
    if head >= 224 then return head - 256, at end
    if head >= 160 and head < 192 then return string_at(text, at, head - 160) end
    if head >= 144 and head < 160 then return array_at(text, at, head - 144) end
    if head < 144 then return map_at(text, at, head - 128) end
    if head == 192 then return nil, at end
    if head == 194 then return false, at end
    if head == 195 then return true, at end
    if head == 202 or head == 203 then
        local size = head == 202 and 4 or 8
        local piece
        piece, at = string_at(text, at, size)
        local failed, number = raw.bounded(host.unfloat(piece))
        if failed then fail(number) end
        return number, at
    end
    if head == 207 or head == 211 then return wide_at(text, at) end
    if head >= 204 and head <= 207 then return number_at(text, at, 2 ^ (head - 204)) end
    if head >= 208 and head <= 211 then
        local size = 2 ^ (head - 208)
        value, at = number_at(text, at, size)
        return signed(value, size), at
    end
    if head >= 217 and head <= 219 then
        value, at = number_at(text, at, 2 ^ (head - 217))
        return string_at(text, at, value)
    end
    if head == 220 or head == 221 then
        value, at = number_at(text, at, head == 220 and 2 or 4)
        return array_at(text, at, value)
    end
    if head == 222 or head == 223 then
        value, at = number_at(text, at, head == 222 and 2 or 4)
        return map_at(text, at, value)
    end
    fail(BAD)
end

local function checked(name, text)
    if raw.type(text) == "number" then text = raw.tostring(text) end
    if raw.type(text) ~= "string" then
        fail("bad argument #1 to '" .. name .. "' (string expected, got " .. (text == nil and "no value" or raw.type(text)) .. ")")
    end
    return text
end

local function unpack_some(name, text, limit, offset)
    text = checked(name, text)
    if offset < 0 or limit < 0 then
        fail(string.format("Invalid request to unpack with offset of %d and limit of %d.", offset, #text))
    elseif offset > #text then
        fail(string.format("Start offset %d greater than input length %d.", offset, #text))
    end
    local found, count, at = {}, 0, offset + 1
    while at <= #text and (limit == 0 or count < limit) do
        count = count + 1
        found[count], at = unpack_value(text, at)
    end
    return found, count, at > #text and -1 or at - 1
end

return {
    _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "Copyright (C) 2012, Redis Ltd.",
    _DESCRIPTION = "MessagePack C implementation for Lua",
    pack = pack,
    unpack = function(text)
        local found, count = unpack_some("unpack", text, 0, 0)
        return raw.unpack(found, 1, count)
    end,
    unpack_one = function(text, offset)
        local found, count, at = unpack_some("unpack_one", text, 1, offset or 0)
        return at, raw.unpack(found, 1, count)
    end,
    unpack_limit = function(text, limit, offset)
        local found, count, at = unpack_some("unpack_limit", text, limit, offset or 0)
        return at, raw.unpack(found, 1, count)
    end,
}
