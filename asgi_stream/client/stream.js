// Reads what asgi_stream streams: see stream.d.ts.

export class StreamError extends Error {
  constructor(message, about) {
    super(message, about);
    Object.assign(this, { name: "StreamError" }, about);
  }
}

export const stream = (url, input, options) => read(`${url}`, undefined, JSON.stringify(input ?? null), options);

export const join = (run, options) => read(run, run, null, { resume: true, ...options });

async function* read(url, run, body, options = {}) {
  const { thread, headers, lastEventId, resume, onOpen, signal, stops = true, reconnects = 10, timeout = 60, ...init } = options;
  let id = lastEventId ?? "", retry = 0, tries = 0, shown, over, connection, sent, stopping, onAbort;
  if (thread != null) url += `${url.includes("?") ? "&" : "?"}thread_id=${encodeURIComponent(thread)}`;

  async function request(more) {
    const all = new Headers(typeof headers === "function" ? await headers() : headers);
    all.set("accept", "text/event-stream");
    all.set("content-type", "application/json");
    if (id) all.set("last-event-id", id);
    return { ...init, ...more, headers: all };
  }

  // Waits, unless the server is silent for too long.
  async function heard(promise, seconds = timeout) {
    const timer = seconds && setTimeout(() => connection.abort(), Math.min(seconds * 1000, 2 ** 31 - 1));
    try { return await promise; } finally { clearTimeout(timer); }
  }

  function locate({ headers, url }) {
    const place = headers.get("content-location");
    // "langgraph" has it relative to another URL.
    if (place && headers.get("x-stream-format") !== "langgraph") run ??= new URL(place, url).href;
  }

  const stop = () => stopping ??= (async () => {
    const stopped = stops && !over;
    // The response says where a run is that outlives its readers.
    if (stopped && resume && !run) await sent?.then(locate);
    connection?.abort();
    if (stopped && run) await fetch(run, await request({ method: "DELETE", keepalive: true, signal: AbortSignal.timeout(2000) }));
  })().catch(() => {});

  function end(error) {
    over = true;
    return error;
  }

  // Yields the events of one connection. Returns why it has ended too early.
  async function* connect() {
    connection = new AbortController();
    const options = await request({ signal: connection.signal, ...(!run && { method: "POST", body }) });
    signal?.throwIfAborted();
    let response;
    try {
      sent = fetch(run ?? url, options);
      response = await heard(Promise.race([aborted, sent]));
    } catch (cause) {
      return lost(cause);
    }
    const header = (name) => response.headers.get(name) ?? undefined;
    if (!response.ok || !/^text.event-stream/.test(header("content-type"))) {
      const error = await heard(errorOf(response));
      if (run && /408|429|50[234]/.test(error.status)) return error;
      throw end(error);
    }
    locate(response);
    onOpen?.({ url: run, runId: header("x-run-id"), threadId: header("x-thread-id") && decodeURIComponent(header("x-thread-id")) });

    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new Parser(id);
    for (;;) {
      let part, cause;
      retry = parser.retry ?? retry;
      try { part = await heard(reader.read()); } catch (error) { cause = error; }
      if (part?.done && header("x-stream-format") === "agui") return end(null);
      if (!part?.value) return lost(cause);
      for (const frame of parser.parse(decoder.decode(part.value, { stream: true }))) {
        const { error, ...event } = eventOf(frame);
        // Without an id of its own it is not the run's.
        if (frame.id === id && run && resume && /^(shutdown|store_unavailable)$/.test(error?.code)) return error;
        id = frame.id;
        tries = 0;
        if (error || frame.data === "[DONE]" || frame.name === "end") {
          over = true;
          await heard(reader.read(), 1).catch(() => {}); // the server closes it
          if (error) throw error;
          return null;
        }
        shown = true;
        yield event;
        signal?.throwIfAborted();
      }
    }
  }

  signal?.throwIfAborted();
  const aborted = new Promise((_, reject) => { onAbort = () => { stop(); reject(signal.reason); }; });
  aborted.catch(() => {});
  signal?.addEventListener("abort", onAbort);
  try {
    for (let failure; (failure = yield* connect()); tries++) {
      signal?.throwIfAborted();
      const backoff = Math.min(5000, 100 * 2 ** tries) * (1 + Math.random());
      const pause = Math.max(backoff, retry, failure.retryAfter * 1000 || 0);
      // Without ids the stream would begin again.
      if (!resume || !run || (shown && !id) || tries >= reconnects || pause > 60_000) throw end(failure);
      await Promise.race([aborted, new Promise((done) => setTimeout(done, pause))]);
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    const stopped = stop();
    if (run) await stopped;
  }
}

const lost = (cause) => new StreamError("The connection was lost before the end of the stream.", { code: "connection", cause });

function eventOf({ name, data, id }) {
  const event = { name, id, data, token: "" };
  try { event.data = JSON.parse(data); } catch { return event; }
  const [, key] = /^{"(token|interrupted|gap|error)"/.exec(data) ?? [];
  const value = key && Object.keys(event.data).length < 2 && event.data[key];
  if (name === "error") event.error = errorFrom({ message: data, ...event.data });
  else if (key === "error" && value?.id && value.message) event.error = errorFrom(value);
  else if (key !== "error" && value) event[key] = value;
  return event;
}

const errorFrom = ({ code, error, message, id, fields, detail }, more) =>
  new StreamError(message, { code: code ?? error ?? "", id, fields, detail, ...more });

export async function errorOf(response) {
  const { status, headers } = response;
  if (status === 204) return new StreamError("The server no longer has the rest of this run.", { code: "gone", status });
  const text = await response.text().catch(() => "");
  let about = {};
  try { about = JSON.parse(text) ?? about; } catch { /* is text */ }
  if (about.error?.message) about = about.error;
  const plain = /^text.plain/.test(headers.get("content-type")) && text;
  const texts = [about.message, about.detail, plain, `The server answered with status ${status}.`];
  const after = headers.get("retry-after"); // seconds, or a date
  const retryAfter = +after || (Date.parse(after) - Date.now()) / 1000 || undefined;
  return errorFrom({ ...about, message: texts.find((each) => each?.trim?.()) }, { status, retryAfter });
}

// As in the HTML standard, but a name without data is a frame too: LangServe ends with it.
export class Parser {
  #rest = "";
  #cr = false;
  #frame;

  constructor(id = "") {
    this.#frame = { name: "", data: [], id };
  }

  *parse(text) {
    const lines = (this.#cr && text[0] === "\n" ? text.slice(1) : text).split(/\r\n|\n|\r/);
    if (text) this.#cr = text.endsWith("\r");
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop();
    for (const line of lines) {
      const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
      const frame = this.#frame;
      if (!line) {
        this.#frame = { name: "", data: [], id: frame.id };
        if (frame.name || frame.data.length) yield { ...frame, data: frame.data.join("\n") };
      } else if (field === "data") frame.data.push(value);
      else if (field === "event") frame.name = value;
      else if (field === "id" && !value.includes("\0")) frame.id = value;
      else if (field === "retry" && /^\d+$/.test(value)) this.retry = +value;
    }
  }
}
