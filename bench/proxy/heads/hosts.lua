-- Each request to another of so many hosts. Arguments: routes, tags of each; 1 1 is one host.
init = function(args)
  routes, tags = tonumber(args[1]), tonumber(args[2])
end

request = function()
  wrk.headers["Host"] = string.format(
    "t%02d-r%02d.default.example.com", math.random(tags) - 1, math.random(routes) - 1)
  return wrk.format("GET", "/")
end
