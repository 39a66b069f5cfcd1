-- JSON as the library cjson 2.1 of Redis does it: same texts, same errors, same limits. Returns a maker of libraries.
local _, raw = ...
local format, byte, char, sub, find, gsub = string.format, string.byte, string.char, string.sub, string.find, string.gsub
local concat, floor, huge = table.concat, math.floor, math.huge
local null = newproxy(false)

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n",
                 ["\f"] = "\\f", ["\r"] = "\\r"}
for code = 0, 127 do
    local one = char(code)
    if (code < 32 or code == 127) and not escapes[one] then escapes[one] = format("\\u%04x", code) end
end
local special = "[%z\1-\31\"\\/\127]"

local function make()
    local settings = {sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_depth = 1000,
                      decode_depth = 1000, precision = 14, encode_invalid = false, decode_invalid = true, keep = true}

    local fail = raw.fail

    local function number_text(value)
        if value ~= value or value == huge or value == -huge then
            if settings.encode_invalid == "null" then return "null" end
            if not settings.encode_invalid then fail("Cannot serialise number: must not be NaN or Inf") end
            if value ~= value then return "nan" end
            return value > 0 and "inf" or "-inf"
        end
        return format("%." .. settings.precision .. "g", value)
    end

    -- The length of a table that is an array, or nil.
    local function array_length(value)
        local most, items = 0, 0
        for key in raw.next, value do
            if raw.type(key) == "number" and key > 0 and floor(key) == key then
                if key > most then most = key end
                items = items + 1
            else
                return nil
            end
        end
        if settings.sparse_ratio > 0 and most > items * settings.sparse_ratio and most > settings.sparse_safe then
            if not settings.sparse_convert then fail("Cannot serialise table: excessively sparse array") end
            return nil
        end
        return most
    end

    local encode_value
    local function encode_table(value, out, depth)
        depth = depth + 1
        if depth > settings.encode_depth then fail(format("Cannot serialise, excessive nesting (%d)", depth)) end
        local length = array_length(value)
        if length and length > 0 then
            out[#out + 1] = "["
            for at = 1, length do
                if at > 1 then out[#out + 1] = "," end
                encode_value(raw.rawget(value, at), out, depth)
            end
            out[#out + 1] = "]"
            return
        end
        out[#out + 1] = "{"
        local first = true
        for key, item in raw.next, value do
            if not first then out[#out + 1] = "," end
            first = false
            if raw.type(key) == "number" then
                out[#out + 1] = '"' .. number_text(key) .. '":'
            elseif raw.type(key) == "string" then
                out[#out + 1] = '"' .. gsub(key, special, escapes) .. '":'
            else
                fail("Cannot serialise " .. raw.type(key) .. ": table key must be a number or string")
            end
            encode_value(item, out, depth)
        end
        out[#out + 1] = "}"
    end

    function encode_value(value, out, depth)
        local kind = raw.type(value)
        if kind == "string" then
            out[#out + 1] = '"' .. gsub(value, special, escapes) .. '"'
        elseif kind == "number" then
            out[#out + 1] = number_text(value)
        elseif kind == "boolean" then
            out[#out + 1] = value and "true" or "false"
        elseif kind == "table" then
            encode_table(value, out, depth)
        elseif value == nil or value == null then
            out[#out + 1] = "null"
        else
            fail("Cannot serialise " .. kind .. ": type not supported")
        end
    end

    local function one_argument(name, ...)
        if raw.select("#", ...) ~= 1 then fail("bad argument #1 to '" .. name .. "' (expected 1 argument)") end
    end

    local function encode(...)
        one_argument("encode", ...)
        local out = {}
        encode_value((...), out, 0)
        return concat(out)
    end

    local function decode(...)
        one_argument("decode", ...)
        local text = ...
        if raw.type(text) == "number" then text = raw.tostring(text) end
        if raw.type(text) ~= "string" then
            fail("bad argument #1 to 'decode' (string expected, got " .. raw.type(text) .. ")")
        end
        local at, depth = 1, 0
        if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
            fail("JSON parser does not support UTF-16 or UTF-32")
        end

        local function unexpected(wanted, found, where)
            fail(format("Expected %s but found %s at character %d", wanted, found, where))
        end
        local function utf8(code)
            if code < 128 then return char(code) end
            if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
            if code < 0x10000 then
                return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
            end
            return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
                        0x80 + code % 64)
        end
        local simple = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}
        local function hex4(where)
            local digits = sub(text, where, where + 3)
            return find(digits, "^%x%x%x%x$") and raw.tonumber(digits, 16)
        end
        -- A string whose opening quote is at `at`; nil and a problem where it is none.
        local function string_token()
            local start = at
            local pieces, from = nil, at + 1
            while true do
                local stop = find(text, '["\\%z]', from)
                if not stop then return nil, "unexpected end of string", #text + 1 end
                local mark = sub(text, stop, stop)
                if mark == '"' then
                    at = stop + 1
                    if not pieces then return sub(text, start + 1, stop - 1) end
                    pieces[#pieces + 1] = sub(text, from, stop - 1)
                    return concat(pieces)
                elseif mark == "\0" then
                    if stop > #text then return nil, "unexpected end of string", stop end
                    pieces = pieces or {}
                    pieces[#pieces + 1] = sub(text, from, stop)
                    from = stop + 1
                else
                    pieces = pieces or {}
                    pieces[#pieces + 1] = sub(text, from, stop - 1)
                    local letter = sub(text, stop + 1, stop + 1)
                    if simple[letter] then
                        pieces[#pieces + 1] = simple[letter]
                        from = stop + 2
                    elseif letter == "u" then
                        local code = hex4(stop + 2)
                        if not code then return nil, "invalid unicode escape code", stop end
                        from = stop + 6
                        if code >= 0xD800 and code < 0xE000 then
                            if code >= 0xDC00 or sub(text, from, from + 1) ~= "\\u" then
                                return nil, "invalid unicode escape code", stop
                            end
                            local low = hex4(from + 2)
                            if not low or low < 0xDC00 or low > 0xDFFF then
                                return nil, "invalid unicode escape code", stop
                            end
                            code = (code - 0xD800) * 0x400 + (low - 0xDC00) + 0x10000
                            from = from + 6
                        end
                        pieces[#pieces + 1] = utf8(code)
                    else
                        return nil, "invalid escape code", stop
                    end
                end
            end
        end
        -- The next token: its name, its value, where it begins. `at` moves behind it.
        local names = {["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
                       [":"] = "T_COLON", [","] = "T_COMMA"}
        local function token()
            at = find(text, "[^ \t\n\r]", at) or #text + 1
            local where = at
            if at > #text then return "T_END", nil, where end
            local mark = sub(text, at, at)
            if names[mark] then
                at = at + 1
                return names[mark], nil, where
            end
            if mark == '"' then
                local value, problem, place = string_token()
                if not value then return "T_ERROR", problem, place end
                return "T_STRING", value, where
            end
            if find(mark, "[-0-9iInN]") or mark == "+" then
                local digits
                if sub(text, at, at + 3) == "null" then
                    at = at + 4
                    return "T_NULL", nil, where
                end
                local lowered = sub(text, at, at + 8):lower()
                local sign, word = lowered:match("^(-?)(infinity)")
                if not word then sign, word = lowered:match("^(-?)(inf)") end
                if not word then sign, word = lowered:match("^(-?)(nan)") end
                if word then
                    if not settings.decode_invalid then return "T_ERROR", "invalid number", where end
                    at = at + #sign + #word
                    local value = word == "nan" and -(0 / 0) or huge
                    return "T_NUMBER", sign == "-" and -value or value, where
                end
                if mark == "+" then return "T_ERROR", "invalid token", where end
                digits = text:match("^-?0[xX]%x+", at)
                if digits then
                    if not settings.decode_invalid then return "T_ERROR", "invalid number", where end
                    at = at + #digits
                    local negative = sub(digits, 1, 1) == "-"
                    local value = raw.tonumber(negative and sub(digits, 2) or digits)
                    return "T_NUMBER", negative and -value or value, where
                end
                digits = text:match("^-?%d+%.?%d*[eE][-+]?%d+", at) or text:match("^-?%d+%.?%d*", at)
                    or text:match("^-?%.%d+", at)
                if not digits then return "T_ERROR", find(mark, "[-0-9]") and "invalid number" or "invalid token", where end
                if not settings.decode_invalid and digits:match("^-?0%d") then
                    return "T_ERROR", "invalid number", where
                end
                at = at + #digits
                return "T_NUMBER", raw.tonumber(digits), where
            end
            if sub(text, at, at + 3) == "true" then
                at = at + 4
                return "T_BOOLEAN", true, where
            end
            if sub(text, at, at + 4) == "false" then
                at = at + 5
                return "T_BOOLEAN", false, where
            end
            return "T_ERROR", "invalid token", where
        end

        local value_of
        local function deeper()
            depth = depth + 1
            if depth > settings.decode_depth then
                fail(format("Found too many nested data structures (%d) at character %d", depth, at - 1))
            end
        end
        local function found(name, value) return name == "T_ERROR" and value or name end
        local function object()
            deeper()
            local result = {}
            local name, key, where = token()
            if name == "T_OBJ_END" then
                depth = depth - 1
                return result
            end
            while true do
                if name ~= "T_STRING" then unexpected("object key string", found(name, key), where) end
                local colon, problem, place = token()
                if colon ~= "T_COLON" then unexpected("colon", found(colon, problem), place) end
                result[key] = value_of(token())
                name, key, where = token()
                if name == "T_OBJ_END" then
                    depth = depth - 1
                    return result
                end
                if name ~= "T_COMMA" then unexpected("comma or object end", found(name, key), where) end
                name, key, where = token()
            end
        end
        local function array()
            deeper()
            local result = {}
            local name, value, where = token()
            if name == "T_ARR_END" then
                depth = depth - 1
                return result
            end
            local count = 1
            while true do
                result[count] = value_of(name, value, where)
                name, value, where = token()
                if name == "T_ARR_END" then
                    depth = depth - 1
                    return result
                end
                if name ~= "T_COMMA" then unexpected("comma or array end", found(name, value), where) end
                count = count + 1
                name, value, where = token()
            end
        end
        function value_of(name, value, where)
            if name == "T_STRING" or name == "T_NUMBER" or name == "T_BOOLEAN" then return value end
            if name == "T_OBJ_BEGIN" then return object() end
            if name == "T_ARR_BEGIN" then return array() end
            if name == "T_NULL" then return null end
            unexpected("value", found(name, value), where)
        end
        local result = value_of(token())
        local name, value, where = token()
        if name ~= "T_END" then unexpected("the end", found(name, value), where) end
        return result
    end

    local function integer_setting(name, low, high)
        return function(value)
            if value ~= nil then
                if raw.type(value) ~= "number" or value < low or value > high then
                    fail(format("bad argument #1 to '?' (expected integer between %d and %d)", low, high))
                end
                settings[name] = value
            end
            return settings[name]
        end
    end
    return {
        _NAME = "cjson", _VERSION = "2.1.0", null = null, encode = encode, decode = decode, new = make,
        encode_max_depth = integer_setting("encode_depth", 1, 2147483647),
        decode_max_depth = integer_setting("decode_depth", 1, 2147483647),
        encode_number_precision = integer_setting("precision", 1, 14),
        encode_keep_buffer = function(value)
            if value ~= nil then settings.keep = value and true or false end
            return settings.keep
        end,
        encode_invalid_numbers = function(value)
            if value ~= nil then settings.encode_invalid = value end
            return settings.encode_invalid
        end,
        decode_invalid_numbers = function(value)
            if value ~= nil then settings.decode_invalid = value and true or false end
            return settings.decode_invalid
        end,
        encode_sparse_array = function(convert, ratio, safe)
            if convert ~= nil then settings.sparse_convert = convert and true or false end
            if ratio ~= nil then settings.sparse_ratio = ratio end
            if safe ~= nil then settings.sparse_safe = safe end
            return settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe
        end,
    }
end

return make()
