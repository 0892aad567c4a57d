/**
 * Reads what asgi_stream streams, in browsers and in Node.js 18 or later.
 *
 * ```js
 * import { stream } from "./stream.js";
 *
 * let text = "";
 * for await (const event of stream("/chat", { question: "Hi?" })) text += event.token;
 * ```
 *
 * Made for the formats `tokens`, `chunks` and `events`; the frames of the other formats that are
 * event streams are read as plain events. The grammar of frames is
 * https://html.spec.whatwg.org/multipage/server-sent-events.html, except that a frame with a name
 * and no data is an event too.
 */

/** A question at which the run has stopped; see `StreamOptions.thread` for its answer. */
export interface Interrupt {
  id: string;
  value: any;
  response_schema?: object;
}

/** One frame. */
export interface StreamEvent<Data = any> {
  /** The frame's data: its JSON, or its text if that is not JSON. */
  data: Data;
  /** The text of a frame of the format `tokens`, `""` in any other: `text += event.token`. */
  token: string;
  /** The id of the frame, with which `join` goes on after it; `""` if there are none. */
  id: string;
  /** The frame's name, `""` if it has none, as in the formats of this package. */
  name: string;
  /** The questions at which the run has stopped: in the last event of such a run. */
  interrupted?: Interrupt[];
  /** The numbers of frames that are missing here, because the server no longer has them. */
  gap?: { first: number; last: number };
}

/** What the response says about the run. */
export interface RunInfo {
  /** Where `join` can go on with the run, if the route has `resume`. */
  url?: string;
  /** The run's id, as in the server's log. */
  runId?: string;
  /** The id of the run's thread, on a route with threads. */
  threadId?: string;
}

/** The options of `join`; those of `fetch` too, such as `credentials`. */
export interface JoinOptions extends Omit<RequestInit, "headers" | "body" | "method" | "signal" | "keepalive"> {
  /** Ends the loop with the signal's reason, and stops the run. */
  signal?: AbortSignal;
  /** Headers of each request, or a function that returns them: called before each request. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** Whether to reconnect if the connection breaks. Default: false, for `join` true. */
  resume?: boolean;
  /** How many times in a row to reconnect. Default: 10, which takes about 40 seconds. */
  reconnects?: number;
  /** Seconds of silence after which a connection counts as broken; 0 is no limit. Default: 60. */
  timeout?: number;
  /** Whether to stop the run of a resumable route when the loop is left. Default: true. */
  stops?: boolean;
  /** Called when a response has begun, again for each one after a break. */
  onOpen?: (run: RunInfo) => void;
}

/** The options of `stream`. */
export interface StreamOptions extends JoinOptions {
  /**
   * The thread to continue, on a route with threads. An interrupt is answered with the input
   * `{resume: answer}` on the same thread.
   */
  thread?: string | null;
}

/**
 * Starts a run, and yields its events until its end.
 *
 * Leaving the loop, and `options.signal`, stop the run: the connection is closed, and on a resumable
 * route the run's URL gets a `DELETE`. With `resume` that also holds for an abort before there is a
 * response.
 *
 * @param url The URL of the route.
 * @param input The input of its Runnable.
 * @throws {StreamError} The server's error, or a lost connection.
 */
export function stream<Data = any>(url: string | URL, input: unknown, options?: StreamOptions): AsyncGenerator<StreamEvent<Data>, void, undefined>;

/**
 * Goes on with a run of a resumable route, for example after a reload of the page.
 *
 * @param url The run's URL, as in `RunInfo.url`.
 * @param options With `lastEventId`, the id of the last event that was read; all events without.
 * @throws {StreamError} The server's error, or a lost connection.
 */
export function join<Data = any>(url: string, options?: JoinOptions & { lastEventId?: string | null }): AsyncGenerator<StreamEvent<Data>, void, undefined>;

/** An error of the server, in a response or in a frame, or a lost connection. */
export class StreamError extends Error {
  constructor(message?: string, about?: Partial<StreamError>);
  readonly name: "StreamError";
  /**
   * The code of the server's error. `"connection"`: the connection was lost, and `cause` may say
   * why; `"gone"`: the server no longer has the rest of the run; `""`: another server answered.
   */
  readonly code: string;
  /** The id of the error in the server's log. */
  readonly id?: string;
  /** The status of the response, if the error was one. */
  readonly status?: number;
  /** What is wrong with which field of the input. */
  readonly fields?: Record<string, string>;
  /** Whatever else the server says about it. */
  readonly detail?: unknown;
  /** Seconds after which the server asks to try again. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** Returns what an error response says. */
export function errorOf(response: Response): Promise<StreamError>;

/** A frame as it was sent. */
export interface Frame {
  name: string;
  data: string;
  id: string;
}

/** Makes frames of text, however it is split. */
export class Parser {
  /** @param id The last id of an earlier connection. */
  constructor(id?: string);
  /** How long to wait before a reconnect, in milliseconds, if the server says so. */
  retry?: number;
  /** Yields the frames that `text` completes. */
  parse(text: string): Generator<Frame, void, undefined>;
}
