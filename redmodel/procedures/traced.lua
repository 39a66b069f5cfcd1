end

local began = untold('TIME')
local reply = asked()
local ended = untold('TIME')
if reply.err then return reply end
local told = {}
for i = 1, #steps do told[i] = {steps[i].name, steps[i].keys, steps[i].calls, steps[i].items} end
return {reply, (ended[1] - began[1]) * 1000000 + ended[2] - began[2], told}
