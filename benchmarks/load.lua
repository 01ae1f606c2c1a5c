-- For wrk: send row after row, and compare every answer with the expected one.
-- Each thread has one connection, so an answer belongs to the last row that the thread sent.

local TOLERANCE = 1e-9
local NUMBER = "%-?%d+%.?%d*[eE]?[%-+]?%d*"
local requests, answers, threads = {}, {}, {}

wrong = 0 -- `wrong`, `current` and `example` are global, so that done() can read them
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

-- Compares texts; numbers can differ in their last bits, as these depend on the size of a batch.
local function is_equal(body, expected)
  if body == expected then
    return true
  end
  if body:gsub(NUMBER, "#") ~= expected:gsub(NUMBER, "#") then
    return false
  end
  local expected_numbers = expected:gmatch(NUMBER)
  for number in body:gmatch(NUMBER) do
    local expected_number = expected_numbers()
    if number ~= expected_number
        and math.abs(tonumber(number) - tonumber(expected_number)) > TOLERANCE then
      return false
    end
  end
  return true
end

function response(status, _, body)
  if status ~= 200 or not is_equal(body:gsub("%s+$", ""), answers[current]) then
    wrong = wrong + 1
    example = status .. " " .. body:gsub("%s+", " ")
  end
end

function done(summary, latency)
  local count, last_example = 0, ""
  for _, thread in ipairs(threads) do
    count = count + thread:get("wrong")
    last_example = thread:get("wrong") > 0 and thread:get("example") or last_example
  end
  local errors = summary.errors
  io.write(string.format("\nfound %d %d %d %d %d %d %s\n", latency:percentile(50),
                         latency:percentile(99), summary.duration, summary.requests, count,
                         errors.connect + errors.read + errors.write + errors.timeout, last_example))
end
