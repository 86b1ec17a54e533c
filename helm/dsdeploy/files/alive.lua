-- Notes that the gateway answers and an engine is ready, for a health check in an image without shell or curl:
--   haproxy -c -f alive.cfg
-- It asks over the gateway's own inner port, so that a gateway which hangs is not alive.

local FILE = "/tmp/alive"
local LATE_S = 6

if os.getenv("GATEWAY_ALIVE_CHECK") then
  local file = io.open(FILE, "r")
  local noted = file and tonumber(file:read("l") or "")
  os.exit(noted and os.time() - noted <= LATE_S and 0 or 1)
end

core.register_task(function()
  local host = os.getenv("METRICS_HOST") or "*"
  local url = string.format("http://%s:%s/readyz", host == "*" and "127.0.0.1" or host, os.getenv("METRICS_PORT") or "9101")
  while true do
    core.sleep(2)
    local answer = core.httpclient():get({ url = url })
    local file = answer and answer.status == 200 and io.open(FILE, "w")
    if file then
      file:write(os.time(), "\n")
      file:close()
    end
  end
end)
