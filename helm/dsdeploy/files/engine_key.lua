-- The key that the engines want, read again at most once a second, so that it can change without a restart.

local FILE = (os.getenv("GATEWAY_FOLDER") or "/etc/gateway") .. "/engine/engine-key"
local key = ""
local read_at = 0

core.register_fetches("engine_key", function()
  local now = core.now().sec
  if now ~= read_at then
    read_at = now
    local file = io.open(FILE, "rb")
    if file then
      key = file:read("l") or key
      file:close()
    end
  end
  return key
end)
