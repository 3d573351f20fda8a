-- POSTs of 1 MiB. Argument: the Host.
init = function(args)
  wrk.method = "POST"
  wrk.path = "/upload"
  wrk.headers["Host"] = args[1]
  wrk.body = string.rep("x", 1048576)
  made = wrk.format()
end

request = function()
  return made
end
