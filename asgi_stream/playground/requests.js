// Builds a route's request in its format, and the same request as code.

import { uuid } from "./dom.js";
import { isMessages, Wrong } from "./form.js";

const ROLES = { human: "user", ai: "assistant" };
export const role = (name) => ROLES[name] ?? name;
const dataUrl = (block) => block.url ?? `data:${block.mime_type};base64,${block.base64}`;
const blocks = (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content);

const BODIES = {
  vercel: (question) => ({
    id: question.chat,
    trigger: "submit-message",
    messages: question.input.map((message, n) => ({
      id: question.thread ? uuid() : `m${n}`,
      role: role(message.role),
      parts: blocks(message.content).map((block) => block.type === "text"
        ? { type: "text", text: block.text }
        : { type: "file", mediaType: block.mime_type, url: dataUrl(block), filename: block.name }),
    })),
    ...question.configurable,
  }),
  openai: (question) => ({
    model: question.model,
    stream: true,
    stream_options: { include_usage: true },
    messages: question.input.map((message) => ({
      role: role(message.role),
      content: typeof message.content === "string" ? message.content : message.content.map(openaiPart),
    })),
    ...question.configurable,
  }),
  agui: (question) => ({
    threadId: question.chat,
    runId: uuid(),
    protocolVersion: "1.0",
    state: {},
    messages: question.input.map((message, n) => ({
      id: question.thread ? uuid() : `m${n}`,
      role: role(message.role),
      content: typeof message.content === "string" ? message.content : message.content.map(aguiPart),
    })),
    tools: [],
    context: [],
    forwardedProps: question.configurable,
  }),
  langgraph: (question) => ({
    input: question.input,
    config: { configurable: question.configurable },
    ...(question.thread ? { if_not_exists: "create" } : {}),
    ...(question.thread || question.route.models.length > 1 ? { assistant_id: question.model, stream_mode: ["values", "messages-tuple", "updates", "custom"] } : {}),
  }),
  langserve: (question) => ({
    input: question.input,
    config: { configurable: { ...question.configurable, ...(question.thread ? { thread_id: question.thread } : {}) } },
  }),
  mcp: (question) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: question.model, arguments: argumentsOf(question), _meta: { progressToken: 1 } },
  }),
};

// An input that is no mapping is an argument of its own.
function argumentsOf({ input, thread }) {
  const mapping = input && typeof input === "object" && !Array.isArray(input);
  return { ...(mapping ? input : { input: input ?? null }), ...(thread ? { thread_id: thread } : {}) };
}

function isConversation(input) {
  return Array.isArray(input) && input.every((each) => typeof each?.role === "string"
    && (typeof each.content === "string" || (Array.isArray(each.content) && each.content.every((block) => typeof block?.type === "string"))));
}

function openaiPart(block) {
  if (block.type === "text") return { type: "text", text: block.text };
  if (block.type === "image") return { type: "image_url", image_url: { url: dataUrl(block) } };
  return { type: "file", file: { filename: block.name, file_data: dataUrl(block) } };
}

function aguiPart(block) {
  if (block.type === "text") return { type: "text", text: block.text };
  const kind = block.type === "file" ? "document" : block.type;
  const source = block.url ? { type: "url", value: block.url } : { type: "data", value: block.base64 };
  return { type: kind, source: { ...source, mimeType: block.mime_type } };
}

function below(question) {
  if (question.route.format === "openai") return "/chat/completions";
  if (question.route.format === "langserve") return "/stream_events";
  if (question.route.format === "langgraph" && question.thread) return `/threads/${encodeURIComponent(question.thread)}/runs/stream`;
  if (question.route.format === "langgraph" && question.route.models.length > 1) return "/runs/stream";
  return "";
}

function urlOf(path, params, base) {
  const whole = path.replace(/{(\w+)(?::\w+)?}/g, (_, name) => {
    if (!params[name]) throw new Wrong(`${name} is missing: it is part of the path`);
    return encodeURIComponent(params[name]);
  });
  return new URL(base.replace(/\/$/, "") + whole, location.href);
}

export const traceUrl = ({ route, model, params }, base) => urlOf(route.traces[model], params, base).href;

// Returns the schema of what a Runnable takes.
export function inputOf(route, model) {
  const schema = route.inputs[model];
  if (!route.threads || Object.keys(schema).length) return schema;
  return { properties: { messages: { format: "langchain-messages" } } }; // as of most graphs
}

// Returns a conversation as the Runnable takes it.
function graphInput({ route, model, input }) {
  if (!route.converses) return input ?? null;
  const schema = route.inputs[model];
  if (isMessages(schema, schema)) return input;
  const [name] = Object.entries(schema.properties ?? {}).find(([, each]) => isMessages(each, schema)) ?? ["messages"];
  return { [name]: input };
}

// The request of one turn of a thread, to the trace.
function turnOf(question, base) {
  const url = urlOf(question.route.traces[question.model], question.params, base);
  url.searchParams.set("thread_id", question.thread);
  if (question.checkpoint) url.searchParams.set("checkpoint_id", question.checkpoint);
  for (const [key, value] of Object.entries(question.configurable)) url.searchParams.set(key, value);
  const headers = { Accept: "text/event-stream", ...question.headers, "Content-Type": "application/json" };
  const body = question.body === undefined ? graphInput(question) : question.body;
  return { url, method: "POST", headers, format: "events", body };
}

// question: {route, model, input, configurable, params, headers, chat, traced}, and for a turn on a
// thread {thread, checkpoint, body}; a body is sent as it is, to the trace.
export function requestOf(question, base) {
  const { route } = question;
  const traced = question.traced && route.traces[question.model];
  const answers = question.body !== undefined;
  if (route.converses && !answers && !isConversation(question.input)) throw new Wrong("messages: expected a list of {role, content}");
  if (question.thread && (traced || answers || question.checkpoint)) return turnOf(question, base);
  const format = traced ? "events" : route.format;
  const url = urlOf(traced ? route.traces[question.model] : route.path + below(question), question.params, base);
  const headers = { Accept: "text/event-stream", ...question.headers };
  const own = BODIES[format];
  if (!own && question.thread) url.searchParams.set("thread_id", question.thread);
  if (!own || format === "mcp") for (const [key, value] of Object.entries(question.configurable)) url.searchParams.set(key, value);
  if (!own && !traced && !route.methods.includes("POST")) {
    url.searchParams.set("input", JSON.stringify(question.input ?? null));
    return { url, method: "GET", headers, format };
  }
  headers["Content-Type"] = "application/json";
  return { url, method: "POST", headers, format, body: own ? own(question) : question.input ?? null };
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const indented = (value, by) => JSON.stringify(value, null, 2).replaceAll("\n", "\n" + " ".repeat(by));

export function snippets(request) {
  const { url, method, headers, body } = request;
  const sent = Object.entries(headers).filter(([name]) => name !== "Accept");
  const curl = [
    `curl -N ${shell(url.href)}`,
    ...sent.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
    ...(method === "POST" ? [`-d ${shell(JSON.stringify(body))}`] : []),
  ].join(" \\\n  ");
  return { curl, Python: python(request), JavaScript: javascript(request, sent) };
}

function pythonValue(value) {
  return JSON.stringify(value, null, 4).replace(/"(?:[^"\\]|\\.)*"|\btrue\b|\bfalse\b|\bnull\b/g,
    (word) => ({ true: "True", false: "False", null: "None" })[word] ?? word);
}

function withoutThread(url) {
  const place = new URL(url);
  place.searchParams.delete("thread_id");
  return place.href;
}

function python(request) {
  const { url, headers, body, format } = request;
  const own = Object.entries(headers).filter(([name]) => !["Accept", "Content-Type"].includes(name));
  const headersArgument = own.length ? `, headers=${pythonValue(Object.fromEntries(own))}` : "";
  if (format === "openai") {
    const { model, messages, stream, stream_options, ...more } = body;
    const extra = Object.keys(more).length ? `    extra_body=${pythonValue(more).replaceAll("\n", "\n    ")},\n` : "";
    return `from openai import OpenAI\n\nclient = OpenAI(base_url="${url.href.replace("/chat/completions", "")}", api_key="none"${headersArgument.replace("headers", "default_headers")})\n`
      + `stream = client.chat.completions.create(\n    model=${JSON.stringify(model)},\n    messages=${pythonValue(messages).replaceAll("\n", "\n    ")},\n    stream=True,\n${extra})\n`
      + "for chunk in stream:\n    for choice in chunk.choices:\n        print(choice.delta.content or \"\", end=\"\", flush=True)\n";
  }
  if (["tokens", "text", "chunks", "events", "langserve"].includes(format) && request.method === "POST") {
    const serves = format === "langserve";
    const thread = url.searchParams.get("thread_id");
    const place = serves ? url.href.replace("/stream_events", "") : withoutThread(url);
    const keys = serves ? Object.keys(body.config.configurable) : [];
    const listed = keys.length ? `, configurable=${pythonValue(keys)}` : "";
    const config = keys.length ? `, config=${pythonValue(body.config)}` : "";
    return "from asgi_stream.client import RemoteRunnable\n\n"
      + `remote = RemoteRunnable(${JSON.stringify(place)}${serves ? ', format="langserve"' : ""}${thread ? `, thread_id=${JSON.stringify(thread)}` : ""}${headersArgument}${listed})\n`
      + `for chunk in remote.stream(${pythonValue(serves ? body.input : body)}${config}):\n    print(chunk, end="", flush=True)\n`;
  }
  const posted = request.method === "POST" ? `, json=${pythonValue(body)}` : "";
  return "import httpx\nfrom httpx_sse import connect_sse\n\n"
    + `with httpx.Client(timeout=60) as client:\n    with connect_sse(client, "${request.method}", ${JSON.stringify(url.href)}${posted}${headersArgument}) as source:\n`
    + "        for event in source.iter_sse():\n            print(event.data)\n";
}

function javascript({ url, method, body }, sent) {
  const headers = indented(Object.fromEntries(sent), 2);
  const posted = method === "POST" ? `,\n  body: JSON.stringify(${indented(body, 2)})` : "";
  return `const response = await fetch(${JSON.stringify(url.href)}, {\n  method: "${method}",\n  headers: ${headers}${posted},\n});\n`
    + "const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();\n"
    + "for (let part; !(part = await lines.read()).done; ) console.log(part.value);\n";
}
