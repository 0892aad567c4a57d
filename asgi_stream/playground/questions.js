// Renders what an interrupted run asks, and reads the answers.

import { el, newId, pretty } from "./dom.js";
import { formOf } from "./form.js";
import { Wrong } from "./wrong.js";

const DECISIONS = { approve: "Approve", edit: "Edit", reject: "Reject", respond: "Respond" };
const ID = /^[0-9a-f]{32}$/;

// Returns {element, value()}; value() is what `resume` takes.
export function questionsOf(interrupts) {
  const parts = interrupts.map((each) => ({ id: each.id, ...questionOf(each) }));
  return {
    element: el("div", { class: "questions" }, ...parts.map((each) => each.element)),
    value() {
      if (parts.length === 1 && !ID.test(parts[0].id)) return parts[0].value();
      return Object.fromEntries(parts.map((each) => [each.id, each.value()]));
    },
  };
}

function questionOf({ value, response_schema: schema }) {
  if (Array.isArray(value?.action_requests)) return batched(value);
  if (value?.type === "tool_approval") return decision(value, allowedBy(schema), argsIn(schema));
  const form = formOf(schema ?? {}, { files: false, label: schema?.title ?? "Answer" });
  return {
    element: el("fieldset", {}, el("legend", {}, "Question"), wordsOf(value), form.element),
    value: () => form.value() ?? null,
  };
}

function wordsOf(value) {
  const text = typeof value === "string" ? value : value?.question ?? value?.message;
  return typeof text === "string" ? el("p", {}, text) : el("pre", {}, pretty(value));
}

// One interrupt for all calls of a message.
function batched({ action_requests: actions, review_configs: configs = [] }) {
  const parts = actions.map((each) => decision(each, configs.find((one) => one.action_name === each.name)?.allowed_decisions));
  return {
    element: el("div", { class: "questions" }, ...parts.map((each) => each.element)),
    value: () => ({ decisions: parts.map((each) => each.value()) }),
  };
}

// The decision on one call.
function decision({ name, args, description }, allowed = Object.keys(DECISIONS), schema = schemaOf(args)) {
  const group = newId("decision");
  const holder = el("div", {});
  const forms = {
    approve: { value: () => ({ type: "approve" }) },
    edit: editing(name, args, schema),
    reject: saying("reject", "Reason", false),
    respond: saying("respond", "Result of the tool", true),
  };
  let chosen = null;
  const shown = el("pre", {}, pretty(args));
  const pick = (kind) => {
    shown.hidden = kind === "edit";
    chosen = forms[kind];
    holder.replaceChildren(...(chosen.element ? [chosen.element] : []));
  };
  const choices = Object.entries(DECISIONS).filter(([kind]) => allowed.includes(kind)).map(([kind, label]) =>
    el("label", {}, el("input", { type: "radio", name: group, value: kind, onchange: () => pick(kind) }), ` ${label}`));
  const element = el("fieldset", { class: "approval" },
    el("legend", {}, "Run ", el("code", {}, name), "?"),
    description && !description.startsWith("Tool execution requires approval") ? el("p", {}, description) : null,
    shown,
    el("div", { class: "row choices", role: "radiogroup", "aria-label": `Decision on ${name}` }, ...choices), holder);
  return {
    element,
    value() {
      if (!chosen) throw new Wrong(`choose what to do with ${name}`);
      return chosen.value();
    },
  };
}

function editing(name, args, schema) {
  const form = formOf(schema, { files: false, label: "Arguments" });
  form.set(args);
  return { element: form.element, value: () => ({ type: "edit", edited_action: { name, args: form.value() ?? {} } }) };
}

function saying(type, label, needed) {
  const form = formOf({ type: "string", title: label }, { files: false, label });
  return {
    element: form.element,
    value() {
      const message = form.value();
      if (!message && needed) throw new Wrong(`${label}: text is missing`);
      return message ? { type, message } : { type };
    },
  };
}

const allowedBy = (schema) => {
  const mapping = schema?.discriminator?.mapping;
  return mapping ? Object.keys(mapping) : schema?.properties?.type?.const ? [schema.properties.type.const] : undefined;
};

// Returns the schema of a call's arguments in the schema of a decision on it.
function argsIn(schema) {
  const args = schema?.$defs?.EditedAction?.properties?.args;
  return args && { ...args, $defs: schema.$defs };
}

// Returns a schema for arguments of which only an example is known.
function schemaOf(args) {
  const types = { string: "string", number: "number", boolean: "boolean" };
  const properties = Object.fromEntries(Object.entries(args ?? {}).map(([name, value]) => [name, types[typeof value] ? { type: types[typeof value] } : {}]));
  return { type: "object", properties, required: Object.keys(properties) };
}
