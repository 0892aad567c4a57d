// Reads event streams that arrive in pieces: split at each position, and byte by byte.
import { readFileSync } from "node:fs";

const { module, bodies } = JSON.parse(readFileSync(0, "utf8"));
const { stream } = await import(module);

function pieces(bytes, cuts) {
  const ends = [...cuts, bytes.length];
  return ends.map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end));
}

async function read(parts) {
  globalThis.fetch = async () => new Response(
    new ReadableStream({ start(sink) { parts.forEach((each) => sink.enqueue(each)); sink.close(); } }),
    { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
  const events = [];
  for await (const { name, data, id } of stream("http://localhost/", null)) events.push([name, data, id]);
  return events;
}

const results = [];
for (const body of bodies) {
  const bytes = new Uint8Array(Buffer.from(body, "base64"));
  const seen = new Set([JSON.stringify(await read([...bytes].map((_, n) => bytes.subarray(n, n + 1))))]);
  for (let at = 0; at <= bytes.length; at += 1) seen.add(JSON.stringify(await read(pieces(bytes, [at]))));
  for (let at = 1; at < bytes.length; at += 1) seen.add(JSON.stringify(await read(pieces(bytes, [at, at + 1]))));
  results.push([...seen].map((each) => JSON.parse(each)));
}
console.log(JSON.stringify(results));
