-- Reads keys and the list of drained engines again whenever their files change, and tells what holds.

local FOLDER = os.getenv("GATEWAY_FOLDER") or "/etc/gateway"
local MAP = FOLDER .. "/keys/keys.map"
local known = {} -- hash -> name
local told = "" -- the file as it was read last

local function read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local content = file:read("a")
  file:close()
  return content
end

local function parse(content)
  local found = {}
  for line in content:gmatch("[^\r\n]+") do
    local hash, name = line:match("^(%x+) ([%w._-]+)$")
    if hash and #hash == 64 then
      found[hash] = name
    elseif line:sub(1, 1) ~= "#" then
      return nil
    end
  end
  return found
end

local function count(many)
  local number = 0
  for _ in pairs(many) do
    number = number + 1
  end
  return number
end

local function take_keys()
  local content = read(MAP)
  if content == nil or content == told then
    return
  end
  local wanted = parse(content)
  told = content
  if not wanted then
    core.log(core.alert, '{"event":"keys-refused","file":"keys.map"}')
    return
  end
  for hash in pairs(known) do
    if not wanted[hash] then
      core.del_map(MAP, hash)
    end
  end
  for hash, name in pairs(wanted) do
    core.set_map(MAP, hash, name)
  end
  known = wanted
  core.log(core.notice, string.format('{"event":"keys-read","keys":%d}', count(known)))
end

local function engines()
  return core.proxies["engines"].servers
end

local drained = {} -- a server's name -> true

local function take_drain()
  local listed = {}
  for line in (read(FOLDER .. "/keys/drain") or ""):gmatch("[^%s]+") do
    listed[line] = true
  end
  for name, server in pairs(engines()) do
    local address = server:get_addr():gsub(":%d+$", "")
    if listed[address] and not drained[name] then
      drained[name] = true
      server:set_drain()
      core.log(core.notice, string.format('{"event":"engine-drained","engine":"%s"}', address))
    elseif drained[name] and not listed[address] then
      drained[name] = nil
      server:set_ready()
      core.log(core.notice, string.format('{"event":"engine-ready","engine":"%s"}', address))
    end
  end
end

-- The map starts as HAProxy itself has read it; a wrong file stops the start instead of opening or closing the door.
told = read(MAP) or ""
known = parse(told)
if not known then
  error("keys.map is not made of lines '<64 hex digits> <name>'")
end

core.register_task(function()
  while true do
    core.sleep(1)
    take_keys()
    take_drain()
  end
end)

-- What holds now: for the program that has changed a file and wants to know when it is in force.
core.register_service("state", "http", function(applet)
  local servers = {}
  for name, server in pairs(engines()) do
    local stats = server:get_stats()
    table.insert(
      servers,
      string.format(
        '{"name":"%s","address":"%s","state":"%s","running":%d,"answered":%d}',
        name, server:get_addr(), stats["status"], stats["scur"] or 0, stats["stot"] or 0
      )
    )
  end
  local hashes = {}
  for hash in pairs(known) do
    table.insert(hashes, '"' .. hash:sub(1, 12) .. '"')
  end
  local body = string.format('{"keys":[%s],"engines":[%s]}', table.concat(hashes, ","), table.concat(servers, ","))
  applet:set_status(200)
  applet:add_header("content-type", "application/json")
  applet:add_header("content-length", tostring(#body))
  applet:start_response()
  applet:send(body)
end)
