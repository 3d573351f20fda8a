-- Twelve headers as a browser sends them; path and cookie differ in each request. Argument: the Host.
local headers = {
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  ["Accept-Language"] = "en-US,en;q=0.5",
  ["Accept-Encoding"] = "gzip, deflate, br",
  ["Connection"] = "keep-alive",
  ["Upgrade-Insecure-Requests"] = "1",
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "none",
  ["Cache-Control"] = "max-age=0",
}
local n = 0

init = function(args)
  headers["Host"] = args[1]
end

request = function()
  n = n + 1
  headers["Cookie"] = "session=" .. n .. "abcdef0123456789abcdef0123456789; theme=dark"
  return wrk.format("GET", "/api/v1/items/" .. n .. "?page=" .. (n % 50) .. "&sort=asc", headers)
end
