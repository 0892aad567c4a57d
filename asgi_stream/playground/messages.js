// The parts of a form for messages, which are {role, content}; content is text or a list of LangChain's
// content blocks.

import { el, grow } from "./dom.js";
import { refused } from "./wrong.js";

const SAME = { user: "human", assistant: "ai", human: "user", ai: "assistant" };

// A list of messages.
export function messages(roles, context, about) {
  const rows = el("div", { class: "messages" });
  let parts = [];
  const add = (initial) => {
    const one = message(roles, context, messageOf(initial, roles), () => { parts = parts.filter((each) => each !== one); });
    parts.push(one);
    rows.append(one.element);
  };
  const set = (value) => { parts = []; rows.replaceChildren(); (Array.isArray(value) ? value : value ? [value] : []).forEach(add); };
  if (about.required) add();
  const optional = about.required ? null : el("span", { class: "optional" }, " optional");
  return {
    element: el("fieldset", {}, el("legend", {}, about.label || "Messages", optional), rows,
      el("button", { type: "button", onclick: () => add() }, "Add message")),
    value() {
      const values = parts.map((each) => each.value());
      return values.length || about.required ? values : undefined;
    },
    set,
  };
}

// A list with one message of the user's, for the next turn of a conversation.
export function composer(roles, context, about) {
  const words = el("textarea", { rows: 2, "aria-label": "Message", placeholder: "Message. Enter sends, Shift+Enter begins a new line" });
  words.addEventListener("input", () => grow(words));
  const files = attachments(context);
  const set = (value) => {
    const [first, ...more] = Array.isArray(value) ? value : [];
    const { role, content } = messageOf(first, roles);
    words.value = role === roles[0] && !more.length ? textOf(content) : "";
    files.set(content);
    grow(words);
  };
  return {
    element: el("div", { class: "composer" }, words, files.list, files.button),
    value() {
      if (!words.value && !files.blocks.length) return refused(`${about.path}: type a message`);
      return [{ role: roles[0], content: files.with(words.value) }];
    },
    set,
  };
}

function message(roles, context, initial, removed) {
  const role = el("select", { "aria-label": "Role" }, ...roles.map((each) => el("option", { value: each }, each)));
  role.value = initial.role;
  const words = el("textarea", { rows: 2, "aria-label": "Message", placeholder: "Message. Enter sends, Shift+Enter begins a new line" });
  words.addEventListener("input", () => grow(words));
  words.value = textOf(initial.content);
  grow(words);
  const files = attachments(context);
  files.set(initial.content);
  const remove = el("button", { type: "button", title: "Remove", "aria-label": "Remove this message",
    onclick: () => { removed(); element.remove(); } }, "×");
  const element = el("div", { class: "message" },
    el("div", { class: "row" }, role, files.button, el("span", { class: "grow" }), remove), words, files.list);
  return { element, value: () => ({ role: role.value, content: files.with(words.value) }) };
}

// Returns a message, written in any way that LangChain accepts, with one of the roles.
function messageOf(written = {}, roles) {
  const { role, type, content = "" } = Array.isArray(written) ? { role: written[0], content: written[1] }
    : typeof written === "string" ? { role: roles[0], content: written } : written;
  const known = role ?? type;
  return { role: [known, SAME[known]].find((each) => roles.includes(each)) ?? roles[0], content };
}

export function textOf(content) {
  if (!Array.isArray(content)) return content ?? "";
  return content.map((each) => (typeof each === "string" ? each : each.type === "text" ? each.text : "")).join("");
}

export const filesOf = (content) => (Array.isArray(content) ? content.filter((each) => typeof each !== "string" && each.type !== "text") : []);

export const nameOf = (file) => file.name ?? file.mime_type ?? file.type;

function attachments(context) {
  const blocks = [];
  const list = el("ul", { class: "files" });
  const show = () => list.replaceChildren(...blocks.map((file) => el("li", {}, nameOf(file),
    el("button", { type: "button", "aria-label": "Remove the file",
      onclick: () => { blocks.splice(blocks.indexOf(file), 1); show(); } }, "×"))));
  const pick = el("input", { type: "file", multiple: true, class: "offscreen", tabIndex: -1, "aria-label": "Files",
    onchange: async () => {
      for (const file of pick.files) blocks.push(await blockOf(file));
      pick.value = "";
      show();
    } });
  return {
    blocks,
    list,
    button: context.files ? el("span", { class: "attach" }, el("button", { type: "button", onclick: () => pick.click() }, "Attach"), pick) : null,
    set(content) { blocks.splice(0, blocks.length, ...filesOf(content)); show(); },
    with(text) {
      if (!blocks.length) return text;
      return [...(text ? [{ type: "text", text }] : []), ...blocks];
    },
  };
}

async function blockOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  const kind = file.type.split("/")[0];
  return {
    type: ["image", "audio", "video"].includes(kind) ? kind : "file",
    base64: btoa(binary),
    mime_type: file.type || "application/octet-stream",
    name: file.name,
  };
}
