// Answers each request and says on stdout what it was, as counting.go does.
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { createServer } from "node:http";

const say = (line) => writeSync(1, line + "\n");

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {});
  request.on("close", () => {
    if (!request.complete) say(`${request.method} ${request.url} broken`);
  });
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const digest = createHash("sha1").update(body).digest("hex");
    say(`${request.method} ${request.url} ${body.length} ${digest}`);
    const status = { "/204": 204, "/304": 304 }[request.url];
    response.statusCode = status ?? 200;
    response.end(status ? undefined : `${request.method} ${request.url}`);
  });
});
server.listen(0, "127.0.0.1", () => say(`listening ${server.address().port}`));
