-- Why an index can't answer (yet), as the error that says so: nil if it can. `state` is what T@schema says of it.
local function unready(side, reader, path, meaning, state)
  local letter, why = state and string.sub(state, 1, 1), nil
  if not state then
    why = call('EXISTS', side .. 'ids') == 1 and 'UNREADY'
  elseif string.sub(state, 2) ~= meaning or (letter ~= '+' and letter ~= '~') then
    why = 'UNREADY'
  elseif letter == '~' then
    why = call('EXISTS', side .. '~' .. path) == 1 and 'UNSETTLED'
  end
  return why and redis.error_reply(why .. ' ' .. reader .. ' ' .. side .. ' ' .. path) or nil
end
