// Renders the messages of a thread as a conversation.

import { copyButton, el, grow, pretty } from "./dom.js";
import { filesOf, nameOf, textOf } from "./messages.js";
import { rendered } from "./view.js";

const SPEAKERS = { human: "You", user: "You", ai: "Assistant", system: "System", tool: "Tool" };

// does: {regenerate(step), edit(step, message, text), branch(state)}, or null while a run is going.
export function transcriptOf(messages, steps, does) {
  const results = new Map(messages.filter((each) => each.type === "tool").map((each) => [each.tool_call_id, each]));
  const called = new Set(messages.flatMap((each) => (each.tool_calls ?? []).map((call) => call.id)));
  let asked = null;
  return messages.flatMap((message, n) => {
    if (message.type === "human") asked = message;
    if (message.type === "tool" && called.has(message.tool_call_id)) return [];
    const rest = messages.slice(n + 1).find((each) => each.type !== "tool");
    const ends = message.type === "ai" && (!rest || rest.type === "human");
    const again = ends && asked ? steps.get(asked.id)?.again : null;
    return [messageItem(message, results, { step: steps.get(message.id), again, does })];
  });
}

export function messageItem(message, results = new Map(), { step, again, does } = {}) {
  const kind = message.type === "human" || message.role === "user" || message.role === "human" ? "human" : message.type ?? message.role;
  const text = textOf(message.content);
  const body = el("div", { class: kind === "human" ? "body" : "body md" });
  if (kind === "human") body.textContent = text;
  else body.innerHTML = rendered(text);
  const files = filesOf(message.content).filter((each) => each.type !== "reasoning" && each.type !== "thinking" && each.type !== "tool_use");
  const item = el("li", { class: `said ${kind}` },
    el("span", { class: "speaker" }, SPEAKERS[kind] ?? kind),
    reasoning(message),
    text ? body : null,
    files.length ? el("ul", { class: "files" }, ...files.map((file) => el("li", {}, nameOf(file)))) : null,
    ...(message.tool_calls ?? []).map((call) => callItem(call, results.get(call.id))));
  const tools = [
    text ? copyButton(() => text) : null,
    kind === "human" && step?.before && does ? el("button", { type: "button", class: "small", onclick: () => edit(item, body, text, step, message, does) }, "Edit") : null,
    again && does ? el("button", { type: "button", class: "small", onclick: () => does.regenerate(again) }, "Regenerate") : null,
    step?.alternatives && does ? switcher(step, does) : null,
  ].filter(Boolean);
  if (tools.length) item.append(el("div", { class: "row tools" }, ...tools));
  return item;
}

function reasoning(message) {
  const thoughts = (Array.isArray(message.content) ? message.content : [])
    .map((each) => each.reasoning ?? each.thinking).filter((each) => typeof each === "string").join("")
    || message.additional_kwargs?.reasoning_content;
  return thoughts ? el("details", {}, el("summary", {}, "Reasoning"), el("div", { class: "thoughts" }, thoughts)) : null;
}

function callItem(call, result) {
  const state = !result ? "waiting" : result.status === "error" ? "failed" : "done";
  return el("details", { class: "call" },
    el("summary", {}, el("span", { class: "kind tool" }, "tool"), el("span", { class: "name" }, call.name),
      el("span", { class: `took ${state === "failed" ? "bad" : ""}` }, state)),
    el("h4", {}, "Arguments"), el("pre", {}, pretty(call.args)),
    ...(result ? [el("h4", {}, "Result"), el("pre", {}, pretty(textOf(result.content)))] : []));
}

// Replaces a message with a field in which to write it anew.
function edit(item, body, text, step, message, does) {
  const before = [...item.children];
  const words = el("textarea", { value: text, "aria-label": "The message, edited" });
  const cancel = () => item.replaceChildren(...before);
  const send = () => does.edit(step.before, message, words.value);
  words.addEventListener("input", () => grow(words));
  words.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); event.stopPropagation(); send(); }
    if (event.key === "Escape") { event.stopPropagation(); cancel(); }
  });
  item.replaceChildren(before[0], words, el("div", { class: "row tools" },
    el("button", { type: "button", class: "small primary", onclick: send }, "Send"),
    el("button", { type: "button", class: "small", onclick: cancel }, "Cancel")));
  grow(words);
  words.focus();
}

function switcher({ alternatives, at }, does) {
  const go = (by, sign, label) => el("button", {
    type: "button", class: "small", "aria-label": label, disabled: !alternatives[at + by],
    onclick: () => does.branch(alternatives[at + by]),
  }, sign);
  return el("span", { class: "row branches", role: "group", "aria-label": "Branches" },
    go(-1, "‹", "Previous branch"), el("span", {}, `${at + 1}/${alternatives.length}`), go(1, "›", "Next branch"));
}
