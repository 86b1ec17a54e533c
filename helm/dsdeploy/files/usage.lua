-- Counts tokens for the audit log while an answer passes: what the engine says of them, else one a streamed event.
-- It keeps no words of an answer: at most the last 2 KiB, until the next piece comes.

local TAIL = 2048

local Usage = {}
Usage.id = "counts tokens"
Usage.flags = filter.FLT_CFG_FL_HTX
Usage.__index = Usage

function Usage:new()
  return setmetatable({ events = 0, tail = "", on = false }, Usage)
end

function Usage:start_analyze(txn, channel)
  if channel:is_resp() then
    filter.register_data_filter(self, channel)
  end
end

function Usage:http_headers(txn, message)
  if message:is_resp() then
    self.on = message:get_stline().code == "200" or message:get_stline().code == 200
  end
  return filter.CONTINUE
end

function Usage:http_payload(txn, message)
  if not self.on or not message:is_resp() then
    return
  end
  local piece = message:body()
  if not piece or piece == "" then
    return
  end
  local _, events = piece:gsub("data: {", "")
  self.events = self.events + events
  self.tail = #piece >= TAIL and piece:sub(-TAIL) or (self.tail .. piece):sub(-TAIL)
end

local function last_number(words, name)
  local found
  for number in words:gmatch('"' .. name .. '"%s*:%s*(%d+)') do
    found = number
  end
  return found
end

-- Also called where a client or an engine went away in the middle of an answer.
function Usage:end_analyze(txn, channel)
  if not self.on or not channel:is_resp() then
    return
  end
  local prompt, output = last_number(self.tail, "prompt_tokens"), last_number(self.tail, "completion_tokens")
  local by = "usage"
  if not output then -- llama.cpp says it in the last event even where nobody asked for usage
    prompt, output, by = last_number(self.tail, "prompt_n"), last_number(self.tail, "predicted_n"), "timings"
  end
  if not output and self.events > 0 then
    output, by = tostring(self.events), "events"
  end
  if output then
    txn:set_var("txn.prompt_tokens", prompt or "null")
    txn:set_var("txn.output_tokens", output)
    txn:set_var("txn.counted_by", by)
  end
end

core.register_filter("usage", Usage, function(self)
  return self
end)
