-- For wrk: ask row after row, and hold every answer against the one that is expected.
-- One connection a thread: the answer that comes belongs to the row that was asked last.

local TOLERANCE = 1e-9
local NUMBER = "%-?%d+%.?%d*[eE]?[%-+]?%d*"
local requests, answers, threads = {}, {}, {}

wrong = 0 -- global, as `current` and `example` are: done() reads them out of each thread
current = 0
example = ""

function setup(thread)
  thread:set("current", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  local lines = io.lines(arguments[1])
  for body in lines do
    table.insert(requests, wrk.format("POST", nil, { ["Content-Type"] = "application/json",
                                                     ["Host"] = wrk.headers["Host"] }, body))
    table.insert(answers, lines())
  end
end

function request()
  current = current % #requests + 1
  return requests[current]
end

-- The same text, but for the last bits of a number: a batch of another size may move them.
local function same(body, expected)
  if body == expected then
    return true
  end
  if body:gsub(NUMBER, "#") ~= expected:gsub(NUMBER, "#") then
    return false
  end
  local others = expected:gmatch(NUMBER)
  for number in body:gmatch(NUMBER) do
    local other = others()
    if number ~= other and math.abs(tonumber(number) - tonumber(other)) > TOLERANCE then
      return false
    end
  end
  return true
end

function response(status, _, body)
  if status ~= 200 or not same(body:gsub("%s+$", ""), answers[current]) then
    wrong = wrong + 1
    example = status .. " " .. body:gsub("%s+", " ")
  end
end

function done(summary, latency)
  local count, seen = 0, ""
  for _, thread in ipairs(threads) do
    count = count + thread:get("wrong")
    seen = thread:get("wrong") > 0 and thread:get("example") or seen
  end
  local errors = summary.errors
  io.write(string.format("\nfound %d %d %d %d %d %d %s\n", latency:percentile(50),
                         latency:percentile(99), summary.duration, summary.requests, count,
                         errors.connect + errors.read + errors.write + errors.timeout, seen))
end
