-- Builds what a script may see, and hands back how it is run. Given: functions of the host, none of which may ever be
-- visible to a script itself, only closures over them. A host function never raises: it answers (failed, value).
local host = ...

local raw = {
    debug = debug, error = error, getmetatable = getmetatable, ipairs = ipairs, loadstring = loadstring, next = next,
    pairs = pairs, pcall = pcall, rawget = rawget, rawset = rawset, select = select, setfenv = setfenv,
    setmetatable = setmetatable, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
    create = coroutine.create, resume = coroutine.resume, sethook = debug.sethook, getinfo = debug.getinfo,
    concat = table.concat, sub = string.sub, byte = string.byte, collectgarbage = collectgarbage, tonumber = tonumber, dump = string.dump,
}
local READONLY = "Attempt to modify a readonly table"

-- Tables that scripts see but must not change: an empty one stands before each, and `behind` knows what it hides.
local behind = raw.setmetatable({}, {__mode = "k"})
local function readonly(content, missing)
    local front = {}
    local mask = raw.setmetatable({}, {__newindex = function() raw.error(READONLY, 2) end, __metatable = false})
    behind[mask] = mask
    behind[front] = content
    return raw.setmetatable(front, {
        __index = content,
        __newindex = function() raw.error(READONLY, 2) end,
        __metatable = mask,
    })
end

local globals = {}
local environment = readonly(globals)
local faces = raw.setmetatable({[environment] = true}, {__mode = "k"})  -- what scripts know as _G
raw.setmetatable(globals, {__index = function(_, name)
    raw.fail("Script attempted to access nonexistent global variable '" .. raw.tostring(name) .. "'")
end})

local function checked(library, names)
    local copy = {}
    for name in names:gmatch("%S+") do copy[name] = library[name] end
    return copy
end

-- Errors.

local function source_of_user(info) return info.source == "@user_script" or info.source == "@user_function" end

local function handler(err)
    local level, info = 2, nil
    repeat
        info = raw.getinfo(level, "Sl")
        level = level + 1
    until not info or source_of_user(info)
    if raw.type(err) ~= "table" then err = {err = "ERR " .. raw.tostring(err)} end
    return {err = raw.rawget(err, "err"), source = info and info.source, line = info and info.currentline,
            ignore_error_stats_update = raw.rawget(err, "ignore_error_stats_update")}
end

-- The place in the user's source that runs, as Lua spells it before a message.
local function where()
    local level, info = 2, nil
    repeat
        info = raw.getinfo(level, "Sl")
        level = level + 1
    until not info or source_of_user(info)
    return info and info.source:sub(2) .. ":" .. info.currentline .. ": " or ""
end
raw.fail = function(text) raw.error(where() .. text, 0) end

-- While the host works, memory has no bound, as it could not be left in the middle; the host lifts it, and here it is
-- set again. Nothing but strings and numbers goes over to the host, which costs no memory of Lua's.
local function bounded(...)
    host.bound(true)
    return ...
end
raw.bounded = bounded
local function is_scalar(...)
    for at = 1, raw.select("#", ...) do
        local kind = raw.type((raw.select(at, ...)))
        if kind ~= "string" and kind ~= "number" then return false end
    end
    return true
end

-- What is loaded by a script is text, and sees what the script sees.
local function load_text(code, name, env)
    if raw.byte(code, 1) == 27 then return nil, "attempt to load a binary chunk" end
    local chunk, problem = raw.loadstring(code, name)
    if not chunk then return nil, problem end
    chunk = raw.loadstring(bounded(host.straightened(raw.dump(chunk))), name)
    raw.setfenv(chunk, env)
    return chunk
end

-- The watch over long scripts: a hook in every coroutine.
local EVERY = 20000
local killed = false
local hook
local ours = {["=sandbox"] = true, ["=cjson.lua"] = true, ["=cmsgpack.lua"] = true}
local function watch(thread)
    if killed then
        if thread then raw.sethook(thread, hook, "l", 1) else raw.sethook(hook, "l", 1) end
    elseif thread then
        raw.sethook(thread, hook, "", EVERY)
    else
        raw.sethook(hook, "", EVERY)
    end
end
hook = function()
    if not killed then
        local reason = host.tick()
        if not reason then return end
        killed = reason
    end
    watch()  -- from now on at every line, so that no pcall outlives it
    local info = raw.getinfo(2, "S")
    if info and info.what ~= "C" and not ours[info.source] then raw.error({err = killed}, 0) end
end

local base = checked(_G, "assert collectgarbage error gcinfo ipairs next pairs rawequal rawget rawset select " ..
    "tonumber tostring type unpack")
base.collectgarbage = function(what, number)
    if what == "count" then return raw.collectgarbage("count") end
    if what == nil or what == "collect" then return raw.collectgarbage("collect") end
    return 0
end
base.rawset = function(t, k, v)
    if behind[t] then raw.error(READONLY, 0) end
    return raw.rawset(t, k, v)
end
base.rawget = function(t, k) return raw.rawget(behind[t] or t, k) end
base.next = function(t, k) return raw.next(behind[t] or t, k) end
base.pairs = function(t, ...)
    if raw.select("#", ...) == 0 and t == nil then raw.error("bad argument #1 to 'pairs' (table expected, got nil)", 2) end
    return raw.pairs(behind[t] or t)
end
base.setmetatable = function(t, mt, ...)
    if behind[t] then raw.error(READONLY, 0) end
    return raw.setmetatable(t, mt, ...)
end
base.getmetatable = function(t, ...)
    -- As in Redis only the table of all globals is seen to have one.
    if behind[t] and not faces[t] then return nil end
    return raw.getmetatable(t, ...)
end
base.loadstring = function(code, name) return load_text(code, name or code, environment) end
base.load = function(reader, name)
    local pieces = {}
    while true do
        local piece = reader()
        if piece == nil or piece == "" then break end
        pieces[#pieces + 1] = piece
    end
    return load_text(raw.concat(pieces), name or "=(load)", environment)
end
local function flat_failure(ok, ...)
    if ok then return true, ... end
    local err = ...
    if raw.type(err) == "table" then
        local text = raw.rawget(err, "err")
        if raw.type(text) == "string" or raw.type(text) == "number" then return false, text end
    end
    return false, ...
end
base.pcall = function(...) return flat_failure(raw.pcall(...)) end
base.xpcall = raw.xpcall
base._VERSION = _VERSION
base.coroutine = checked(coroutine, "resume running status yield")
base.coroutine.create = function(f)
    local thread = raw.create(f)
    watch(thread)
    return thread
end
base.coroutine.wrap = function(f)
    local thread = base.coroutine.create(f)
    local function passed(ok, ...)
        if not ok then
            local err = ...
            raw.error(raw.type(err) == "string" and where() .. err or err, 0)
        end
        return ...
    end
    return function(...) return passed(raw.resume(thread, ...)) end
end
base.string = checked(string, "byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper")
base.table = checked(table, "concat foreach foreachi getn insert maxn remove setn sort")
base.math = checked(math, "abs acos asin atan2 atan ceil cos cosh deg exp floor fmod frexp ldexp log10 log max min " ..
    "mod modf pow rad sin sinh sqrt tan tanh huge pi")
base.math.random = function(...)
    local part = bounded(host.random())
    local count = raw.select("#", ...)
    local low, high = ...
    if count == 0 then return part end
    if count == 1 then low, high = 1, low end
    if count > 2 then raw.error("wrong number of arguments", 2) end
    if low > high then raw.error("interval is empty", 2) end
    return math.floor(part * (high - low + 1)) + low
end
base.math.randomseed = function(seed)
    seed = raw.tonumber(seed)
    if not seed then raw.fail("bad argument #1 to 'randomseed' (number expected)") end
    bounded(host.randomseed(seed))
end

-- The methods of strings are those of the visible library, and their metatable is nobody's to change.
local visible_string = readonly(base.string)
local strings = raw.getmetatable("")
strings.__index = base.string
strings.__metatable = readonly({__index = visible_string})

-- Libraries made by the host, wrapped so that its failures are Lua's errors.
local function answer(failed, value, ...)
    if failed then raw.fail(value) end
    return value, ...
end
local function wrapped(functions)
    local library = {}
    for name, f in raw.pairs(functions) do
        library[name] = function(...)
            if not is_scalar(...) then
                for at = 1, raw.select("#", ...) do
                    local kind = raw.type((raw.select(at, ...)))
                    if kind ~= "string" and kind ~= "number" then
                        local wanted = (name == "unpack" or name == "pack" or name == "size") and "string" or "number"
                        raw.fail("bad argument #" .. at .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. kind .. ")")
                    end
                end
            end
            return answer(bounded(f(...)))
        end
    end
    return library
end
base.bit = wrapped(host.bit)
base.struct = wrapped(host.struct)
base.cjson = host.cjson(host, raw)
base.cmsgpack = host.cmsgpack(host, raw)

-- redis.*
local PIECE = 100
local function failure(text) return {err = text} end
local function api(values)
    local redis = {}
    for name, value in raw.pairs(values) do redis[name] = value end
    -- The host takes no more than some arguments at once: those before the last are handed over in pieces.
    local function passed(...)
        local count = raw.select("#", ...)
        if count <= PIECE then
            if not is_scalar(...) then return nil end
            return true, ...
        end
        local given = {...}
        for at = 1, count do
            local kind = raw.type(given[at])
            if kind ~= "string" and kind ~= "number" then return nil end
        end
        local at = 1
        while count - at >= PIECE do
            bounded(host.more(raw.unpack(given, at, at + PIECE - 1)))
            at = at + PIECE
        end
        return true, raw.unpack(given, at, count)
    end
    local function called(scalar, ...)
        if not scalar then return true, "ERR Lua redis lib command arguments must be strings or integers" end
        return bounded(host.call(...))
    end
    local function call(...) return called(passed(...)) end
    redis.call = function(...)
        local failed, value = call(...)
        if failed then raw.error({err = value, ignore_error_stats_update = true}, 0) end
        return value
    end
    redis.pcall = function(...)
        local failed, value = call(...)
        if failed then
            bounded(host.swallowed(value))
            return {err = value, ignore_error_stats_update = true}
        end
        return value
    end
    redis.error_reply = function(...)
        local text = ...
        if raw.select("#", ...) ~= 1 or raw.type(text) ~= "string" then
            return failure("ERR wrong number or type of arguments")
        end
        if raw.sub(text, 1, 1) == "-" then return {err = raw.sub(text, 2)} end
        if not text:find(" ", 1, true) then text = "ERR " .. text end
        return {err = text}
    end
    redis.status_reply = function(...)
        local text = ...
        if raw.select("#", ...) ~= 1 or raw.type(text) ~= "string" then
            return failure("ERR wrong number or type of arguments")
        end
        return {ok = text}
    end
    for name, f in raw.pairs(host.api) do
        redis[name] = function(...)
            local given = {...}
            for at = 1, raw.select("#", ...) do
                local kind = raw.type(given[at])
                if kind ~= "string" and kind ~= "number" then given[at] = false end
            end
            local failed, value = bounded(f(raw.select("#", ...), raw.unpack(given, 1, raw.select("#", ...))))
            if failed then raw.error({err = value}, 0) end
            return value
        end
    end
    redis.breakpoint = function() return false end
    redis.debug = function() end
    return redis
end
local redis = api(host.values)
base.redis = redis
base.__redis__err__handler = handler

for name, value in raw.pairs(base) do
    globals[name] = raw.type(value) == "table" and (name == "string" and visible_string or readonly(value)) or value
end
globals._G = environment

-- Functions see the same without KEYS and ARGV; while a library is loaded, it sees nothing but a part of redis.*.
local function_globals = raw.setmetatable({}, {__index = globals})
local function_api = {}
for name, value in raw.pairs(redis) do function_api[name] = value end
function_globals.redis = readonly(function_api)
local function_environment = readonly(function_globals)
function_globals._G = function_environment
faces[function_environment] = true
local load_globals = raw.setmetatable({}, {__index = function(_, name)
    raw.fail("Script attempted to access nonexistent global variable '" .. raw.tostring(name) .. "'")
end})
local load_api = {}
for name, value in raw.pairs(redis) do
    if name:match("^LOG_") or name:match("^REDIS_") or name == "log" then load_api[name] = value end
end
load_api.register_function = function(...)
    local failed, value = host.register(raw.select("#", ...), ...)
    if failed then raw.error({err = value}, 0) end
end
load_globals.redis = readonly(raw.setmetatable(load_api, {__index = function(_, name)
    raw.fail("Script attempted to access nonexistent global variable '" .. raw.tostring(name) .. "'")
end}))

local function finished(ok, ...)
    host.bound(false)
    raw.sethook()  -- first: at every line, the hook of a script that is ended would set `killed` again
    killed = false
    if ok then return true, (...) end
    local err = ...
    if raw.type(err) ~= "table" then return false, err end
    return false, err.err, err.source, err.line
end

local run = {}

function run.compile(code, name)
    return load_text(code, name, environment)
end

function run.script(chunk, keys, argv)
    globals.KEYS, globals.ARGV = keys, argv
    watch()
    host.bound(true)
    return finished(raw.xpcall(chunk, handler))
end

function run.call(f, keys, argv)
    watch()
    host.bound(true)
    return finished(raw.xpcall(function() return f(keys, argv) end, handler))
end

function run.library(code, name)
    -- Each library has an environment of its own, which turns from the one for loading to the one for running.
    local index = {}
    local env = raw.setmetatable({}, {
        __index = function(_, key) return index.now[key] end,
        __newindex = function() raw.error(READONLY, 2) end,
        __metatable = raw.getmetatable(environment),
    })
    behind[env] = function_globals
    faces[env] = true
    local chunk, problem = load_text(code, name, env)
    if not chunk then return false, problem end
    index.now = load_globals
    watch()
    local ok, err, source, line = finished(raw.xpcall(chunk, handler))
    index.now = function_globals
    return ok, err, source, line
end

function run.collect() raw.collectgarbage("collect") end

return run
