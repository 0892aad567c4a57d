// Reads all frames of one run, and reconnects as often as necessary. Event streams are parsed as in
// https://html.spec.whatwg.org/multipage/server-sent-events.html

const TRIES = 5;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
  }
}

export class Parser {
  #rest = "";
  #frame = { event: "", data: [], id: "" };

  *take(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        const { event, data, id } = this.#frame;
        this.#frame = { event: "", data: [], id: "" };
        if (data.length || event) yield { event, data: data.join("\n"), id };
      } else if (!line.startsWith(":")) {
        const at = line.indexOf(":");
        const name = at < 0 ? line : line.slice(0, at);
        const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
        if (name === "data") this.#frame.data.push(value);
        else if (name === "event" || name === "id") this.#frame[name] = value;
      }
    }
  }
}

const LAST = /^{"type":"(?:RUN_FINISHED|RUN_ERROR)"/;

function ends(format, frame) {
  if (frame.data === "[DONE]") return true;
  if (["langserve", "langgraph"].includes(format)) return ["end", "error"].includes(frame.event);
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
        if (error instanceof Refused || this.#abort.signal.aborted || (!this.place && !this.runId)) throw error;
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
    if (!response.ok) throw new Refused(response.status, await problemIn(response));
    this.runId = response.headers.get("x-run-id") ?? this.runId;
    const place = response.headers.get("content-location");
    if (!again && place && this.request.format !== "langgraph") {
      this.place = new URL(place, response.url).href;
      this.onPlace(this);
    }
    const parser = new Parser();
    const plain = !response.headers.get("content-type")?.startsWith("text/event-stream");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part; !(part = await reader.read()).done; ) {
      if (plain) { yield { event: "", data: part.value, id: "" }; continue; }
      for (const frame of parser.take(part.value)) {
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
      if (!response.ok) throw new Refused(response.status, await problemIn(response));
    } else {
      this.leave();
    }
  }
}

export async function problemIn(response) {
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { return { message: text || response.statusText }; }
  const error = body.error ?? body;
  const message = error.message ?? (typeof error.detail === "string" ? error.detail : null);
  return { ...error, message: message ?? `The server returned status ${response.status}.` };
}
