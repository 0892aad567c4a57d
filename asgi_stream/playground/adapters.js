// Translate the frames of each format to calls on a view: text, reasoning, begin, end, note, usage,
// error, output.

const parsed = (frame) => {
  try { return JSON.parse(frame.data); } catch { return undefined; }
};

// Returns the interrupts in a frame of any format, if it has any.
function interruptsOf(value) {
  if (value?.type === "data-interrupt") return [value.data];
  return value?.interrupted ?? value?.result?.structuredContent?.interrupted ?? value?.outcome?.interrupts ?? (value?.data?.chunk ?? value)?.__interrupt__;
}

// route: for a trace, the traced route, which decides what the answer is.
export function adapterOf(format, view, route) {
  const make = ADAPTERS[format] ?? unknown;
  const take = make(view, route);
  return (frame) => {
    if (format === "text") return view.text(frame.data);
    if (!frame.data || frame.data === "[DONE]") return undefined;
    const value = parsed(frame);
    if (value?.error && typeof value.error === "object") return view.error(value.error);
    view.waits(interruptsOf(value));
    if (value?.interrupted || value?.type === "data-interrupt") return undefined;
    if (value?.gap) return view.note("gap", value.gap);
    return take(value, frame.name);
  };
}

function contentOf(message, view) {
  const content = message?.content ?? message?.text ?? "";
  for (const block of typeof content === "string" ? [{ type: "text", text: content }] : content) {
    if (typeof block === "string") view.text(block);
    else if (block.type === "text") view.text(block.text ?? "");
    else if (block.type === "reasoning") view.reasoning(block.reasoning ?? "");
    else if (block.type === "thinking") view.reasoning(block.thinking ?? "");
  }
  const thought = message?.additional_kwargs?.reasoning_content;
  if (thought) view.reasoning(thought);
}

const hidden = (event) => event.tags?.includes("langsmith:hidden") || /^_|^ChannelWrite|^Branch</.test(event.name);

const UNHEARD = ["nostream", "langsmith:nostream"];

// Whether a model's text is part of the route's answer.
function heard(event, route) {
  const about = event.metadata ?? {};
  const nodes = (about.langgraph_checkpoint_ns ?? "").split("|").map((part) => part.split(":")[0]);
  const marks = [event.name, about.lc_agent_name, about.langgraph_node, ...nodes, ...(event.tags ?? [])];
  if (route?.format !== "events" && UNHEARD.some((tag) => event.tags?.includes(tag))) return false;
  return !route?.answer?.length || route.answer.some((each) => marks.includes(each));
}

function events(view, route) {
  const chunked = route?.format === "chunks";
  const yielded = chunks(view);
  let spoke = false;
  const streamed = new Set();
  return (event) => {
    if (!event?.event) return view.note("frame", event);
    const [, kind, moment] = /^on_(.+)_(start|stream|end|error|event)$/.exec(event.event) ?? [];
    const root = !event.parent_ids?.length;
    const data = event.data ?? {};
    if (moment === "event") return view.note(event.name, data);
    if (moment === "start" && !root && !hidden(event)) {
      view.begin(event.run_id, { kind, name: event.name, depth: event.parent_ids.length, input: data.input,
        parent: event.parent_ids.at(-1), node: event.metadata?.langgraph_node });
    } else if (moment === "start" && root && kind !== "chain") {
      view.begin(event.run_id, { kind, name: event.name, depth: 1, input: data.input });
    } else if (moment === "stream" && (kind === "chat_model" || kind === "llm")) {
      streamed.add(event.run_id);
      if (chunked ? root : heard(event, route)) {
        spoke = true;
        contentOf(typeof data.chunk === "string" ? { content: data.chunk } : data.chunk, view);
      }
      for (const call of data.chunk?.tool_call_chunks ?? []) view.call(event.run_id, call);
    } else if (moment === "stream" && root && chunked) {
      yielded(data.chunk);
    } else if (moment === "stream" && root && !spoke && typeof data.chunk === "string") {
      view.text(data.chunk);
    } else if (moment === "end") {
      if (kind === "chat_model") {
        if (!streamed.has(event.run_id) && !chunked && heard(event, route)) { spoke = true; contentOf(data.output, view); }
        if (data.output?.usage_metadata) view.usage(data.output.usage_metadata);
      }
      view.end(event.run_id, { output: data.output });
      if (root) view.output(data.output);
    } else if (moment === "error") {
      view.end(event.run_id, { error: data.error ?? "failed" });
    }
  };
}

function vercel(view) {
  let steps = 0;
  return (part) => {
    const id = part?.toolCallId;
    switch (part?.type) {
      case "start-step": steps += 1; view.begin(`step ${steps}`, { kind: "step", name: `step ${steps}`, depth: 1 }); break;
      case "finish-step": view.end(`step ${steps}`, {}); break;
      case "text-delta": view.text(part.delta); break;
      case "reasoning-delta": view.reasoning(part.delta); break;
      case "tool-input-start": view.begin(id, { kind: "tool", name: part.toolName, depth: 2 }); break;
      case "tool-input-available": view.begin(id, { kind: "tool", name: part.toolName, depth: 2, input: part.input }); break;
      case "tool-input-error": case "tool-output-error": view.end(id, { error: part.errorText }); break;
      case "tool-output-available": view.end(id, { output: part.output }); break;
      case "source-url": case "source-document": view.note("source", part.url ?? part.title); break;
      case "file": view.note("file", part.mediaType); break;
      case "finish": {
        const usage = part.messageMetadata?.usage;
        if (usage) view.usage({ input_tokens: usage.inputTokens, output_tokens: usage.outputTokens });
        break;
      }
      case "error": view.error({ message: part.errorText }); break;
      case "abort": view.error({ code: "cancelled", message: "The run was cancelled." }); break;
      default: if (part?.type?.startsWith("data-")) view.note(part.type.slice(5), part.data);
    }
  };
}

function openai(view) {
  return (chunk) => {
    const delta = chunk?.choices?.[0]?.delta ?? {};
    if (delta.reasoning_content) view.reasoning(delta.reasoning_content);
    if (delta.content) view.text(delta.content);
    for (const call of delta.tool_calls ?? []) {
      if (call.id) view.begin(call.id, { kind: "tool", name: call.function?.name, depth: 1 });
    }
    if (chunk?.usage) view.usage({ input_tokens: chunk.usage.prompt_tokens, output_tokens: chunk.usage.completion_tokens });
  };
}

function agui(view) {
  const steps = {};
  const args = {};
  return (event) => {
    const id = event?.toolCallId;
    switch (event?.type) {
      case "STEP_STARTED": steps[event.stepName] = view.begin(`step ${event.stepName}`, { kind: "step", name: event.stepName, depth: 1 }); break;
      case "STEP_FINISHED": view.end(`step ${event.stepName}`, {}); break;
      case "TEXT_MESSAGE_CONTENT": view.text(event.delta); break;
      case "REASONING_MESSAGE_CONTENT": view.reasoning(event.delta); break;
      case "TOOL_CALL_START": args[id] = ""; view.begin(id, { kind: "tool", name: event.toolCallName, depth: 2 }); break;
      case "TOOL_CALL_ARGS": args[id] += event.delta; break;
      case "TOOL_CALL_END": view.begin(id, { kind: "tool", depth: 2, input: args[id] }); break;
      case "TOOL_CALL_RESULT": view.end(id, { output: event.content }); break;
      case "STATE_SNAPSHOT": view.note("state", event.snapshot); break;
      case "CUSTOM": view.note(event.name, event.value); break;
      case "RUN_FINISHED":
        for (const each of event.usage ?? []) view.usage({ input_tokens: each.inputTokens, output_tokens: each.outputTokens });
        break;
      case "RUN_ERROR": view.error(event); break;
    }
  };
}

function langgraph(view) {
  return (value, name) => {
    const kind = name.split("|")[0];
    if (kind === "messages" && Array.isArray(value)) {
      const [message, about] = value;
      if (message.type === "tool") view.end(message.tool_call_id, { output: message.content, name: message.name });
      else {
        for (const call of message.tool_calls ?? []) {
          if (call.id) view.begin(call.id, { kind: "tool", name: call.name, depth: 2, input: call.args, node: about?.langgraph_node });
        }
        if (message.type === "AIMessageChunk") contentOf(message, view);
        if (message.usage_metadata) view.usage(message.usage_metadata);
      }
    } else if (kind === "updates") Object.entries(value ?? {}).forEach(([node, update]) => view.note(node, update));
    else if (kind === "values") view.output(value);
    else if (kind === "custom") view.note("custom", value);
    else if (kind === "error") view.error({ ...value, code: value.error });
  };
}

function langserve(view) {
  const handle = events(view);
  return (value, name) => {
    if (name === "error") view.error(value);
    else if (name === "data") handle(value);
  };
}

function mcp(view) {
  return (value) => {
    if (value?.params) return view.text(value.params.message);
    const { isError, content, structuredContent, _meta } = value?.result ?? {};
    if (isError) view.error({ ..._meta["asgi-stream/error"], message: content[0].text });
    else if (structuredContent?.output !== undefined) view.output(structuredContent.output);
    return undefined;
  };
}

const tokens = (view) => (value) => view.text(value?.token ?? "");

function chunks(view) {
  return (value) => {
    if (typeof value === "string") view.text(value);
    else if (value?.type === "AIMessageChunk") contentOf(value, view);
    else view.output(value);
  };
}

const unknown = (view) => (value, name) => view.note(name || "frame", value);

const ADAPTERS = { tokens, chunks, events, vercel, openai, agui, langgraph, langserve, mcp };
