// Lua scripts that use what the language has, yield between their steps and return a text.
#pragma once

#include <string_view>

namespace examples {

struct NamedScript {
  std::string_view name;
  const char* source;
};

inline constexpr NamedScript lua_scripts[] = {
    {"tables and closures: primes by a sieve of generators", R"lua(
      local function count_from(n)
        return function() n = n + 1; return n end
      end
      local function without_multiples(of, source)
        return function()
          while true do
            local n = source()
            if n % of ~= 0 then return n end
          end
        end
      end
      local source, primes = count_from(1), {}
      for i = 1, 120 do
        local prime = source()
        primes[i] = prime
        source = without_multiples(prime, source)
        coroutine.yield()
      end
      return table.concat(primes, " ")
    )lua"},

    {"strings: words counted, sorted and formatted", R"lua(
      local text, counts = {}, {}
      for i = 1, 80 do
        text[#text + 1] = string.rep(string.char(97 + i * i % 26), 1 + i % 7)
        for word in table.concat(text, " "):gmatch("%a+") do
          counts[word:upper()] = (counts[word:upper()] or 0) + 1
        end
        coroutine.yield(#text)
      end
      local lines = {}
      for word, count in pairs(counts) do
        lines[#lines + 1] = string.format("%-8s%6d %s", word, count, word:reverse():gsub("A", "*"))
      end
      table.sort(lines)
      return table.concat(lines, "\n")
    )lua"},

    {"metatables: vectors with operators, inheritance, and a default for what is missing", R"lua(
      local Vector = {}
      Vector.__index = Vector
      Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
      Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
      Vector.__tostring = function(v) return "(" .. v.x .. ", " .. v.y .. ")" end
      Vector.__close = function(v) v.x = v.x + 1 end
      local Named = setmetatable({}, {__index = Vector})
      Named.__index = Named
      function Vector:norm() return self.x * self.x + self.y * self.y end
      function Named:label() return self.name .. " " .. self:norm() end
      local cells = setmetatable({}, {__index = function(t, k) t[k] = k * k; return k * k end})
      local sum = setmetatable({x = 0, y = 0}, Vector)
      for i = 1, 60 do
        local step = setmetatable({x = i, y = cells[i]}, Vector)
        do local closed <close> = step end
        sum = sum + step
        coroutine.yield()
      end
      local named = setmetatable({name = "sum", x = 3, y = 4}, Named)
      return tostring(sum) .. " " .. named:label() .. " " .. tostring(sum == sum + {x = 0, y = 0})
    )lua"},

    {"coroutines: producers, filters and a scheduler", R"lua(
      local function producer(name, count)
        return coroutine.wrap(function()
          for i = 1, count do coroutine.yield(name .. i) end
        end)
      end
      local function paired(a, b)
        return coroutine.wrap(function()
          while true do
            local x, y = a(), b()
            if not (x and y) then return end
            coroutine.yield(x .. "-" .. y)
          end
        end)
      end
      local log, tasks = {}, {}
      for i = 1, 5 do
        tasks[i] = coroutine.create(function()
          local ok, err = pcall(function()
            for item in paired(producer("a", 3 * i), producer("b", 4 * i)) do
              log[#log + 1] = i .. ":" .. item
              coroutine.yield()
            end
            error({task = i})
          end)
          log[#log + 1] = "failed " .. err.task .. " " .. tostring(ok)
        end)
      end
      while #tasks > 0 do
        for i = #tasks, 1, -1 do
          assert(coroutine.resume(tasks[i]))
          if coroutine.status(tasks[i]) == "dead" then table.remove(tasks, i) end
        end
        coroutine.yield()
      end
      return table.concat(log, " ")
    )lua"},

    {"garbage: finalizers, weak tables and both collectors, with random numbers", R"lua(
      local finalized, weak = 0, setmetatable({}, {__mode = "v"})
      local kept, order = {}, {}
      for i = 1, 100 do
        if i == 30 then collectgarbage("generational") end
        if i == 60 then collectgarbage("incremental") end
        for j = 1, 50 do
          local object = setmetatable({i, j, ("x"):rep(j * 10)}, {__gc = function(o)
            finalized = finalized + 1
            if o[2] == 1 then order[#order + 1] = o[1] end
          end})
          weak[(i - 1) * 50 + j] = object
          if math.random(20) == 1 then kept[math.random(40)] = object end
        end
        if i % 10 == 0 then collectgarbage() end
        coroutine.yield()
      end
      collectgarbage()
      local alive, sizes = 0, 0
      for _, object in pairs(weak) do alive = alive + 1; sizes = sizes + #object[3] end
      return string.format("%d finalized, %d alive, %d bytes, %.17g, %s, %s", finalized, alive,
        sizes, math.random(), tostring(kept), table.concat(order, " "))
    )lua"},
};

}  // namespace examples
