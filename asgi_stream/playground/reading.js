// Reads all frames of one run, in any format, and reconnects as often as necessary.

import { errorOf, Parser, StreamError } from "./stream.js";

const TRIES = 5;

const LAST = /^{"type":"(?:RUN_FINISHED|RUN_ERROR)"/;

function ends(format, frame) {
  if (frame.data === "[DONE]") return true;
  if (["langserve", "langgraph"].includes(format)) return ["end", "error"].includes(frame.name);
  if (format === "mcp") return frame.data.startsWith('{"jsonrpc":"2.0","id":');
  return (format === "agui" && LAST.test(frame.data)) || (format === "openai" && frame.data.startsWith('{"error":'));
}

export class Reading {
  place = null;
  runId = null;
  lastId = "";
  ended = false;
  #abort = new AbortController();

  constructor(request, onPlace = () => {}) {
    this.request = request;
    this.onPlace = onPlace;
  }

  // Continues to read an existing run.
  static of(place, lastId, request, onPlace) {
    const reading = new Reading(request, onPlace);
    reading.place = place;
    reading.lastId = lastId ?? "";
    return reading;
  }

  async *frames() {
    let tries = 0;
    while (!this.ended) {
      try {
        for await (const frame of this.#connection()) {
          tries = 0;
          yield frame;
        }
      } catch (error) {
        if (error instanceof StreamError || this.#abort.signal.aborted || (!this.place && !this.runId)) throw error;
      }
      if (this.ended) return;
      if (!this.place || tries >= TRIES) throw new Error("The connection was lost before the end of the stream.");
      await new Promise((done) => setTimeout(done, Math.min(2000, 100 * 2 ** tries++)));
    }
  }

  async *#connection() {
    const again = this.place !== null;
    const headers = { ...this.request.headers };
    if (again) delete headers["Content-Type"];
    if (again && this.lastId) headers["Last-Event-ID"] = this.lastId;
    const response = await fetch(again ? this.place : this.request.url, {
      method: again ? "GET" : this.request.method,
      headers,
      body: again || this.request.method === "GET" ? undefined : JSON.stringify(this.request.body),
      signal: this.#abort.signal,
    });
    if (response.status === 204) { this.ended = true; return; }
    if (!response.ok) throw await errorOf(response);
    this.runId = response.headers.get("x-run-id") ?? this.runId;
    const place = response.headers.get("content-location");
    if (!again && place && this.request.format !== "langgraph") {
      this.place = new URL(place, response.url).href;
      this.onPlace(this);
    }
    const parser = new Parser(this.lastId);
    const plain = !response.headers.get("content-type")?.startsWith("text/event-stream");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part; !(part = await reader.read()).done; ) {
      if (plain) { yield { name: "", data: part.value, id: "" }; continue; }
      for (const frame of parser.parse(part.value)) {
        // A frame without an id has the last one.
        if (frame.id === this.lastId) frame.id = "";
        this.lastId = frame.id || this.lastId;
        this.ended ||= ends(this.request.format, frame);
        yield frame;
      }
    }
    if (plain) this.ended = true;
  }

  // Closes the connection. A resumable run continues.
  leave() {
    this.#abort.abort();
  }

  // Stops the run.
  async stop() {
    if (this.place) {
      const headers = { ...this.request.headers, Accept: "application/json" };
      const response = await fetch(this.place, { method: "DELETE", headers });
      if (!response.ok) throw await errorOf(response);
    } else {
      this.leave();
    }
  }
}
