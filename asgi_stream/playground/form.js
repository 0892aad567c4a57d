// Builds a form from a JSON Schema. Each part is {element, value(), set(value)}. value() returns
// undefined for an empty optional field, and throws a Wrong that names an invalid one.

import { el, grow, newId, pretty } from "./dom.js";
import { composer, messages } from "./messages.js";
import { refused } from "./wrong.js";

export { soFar, Wrong } from "./wrong.js";

const MESSAGES = "langchain-messages";
const MESSAGE_ROLES = ["human", "ai", "system"];

export function alike(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && alike(one[key], other[key]));
}

// composes: a list of messages is one message of the user's.
export function formOf(schema, { files = true, composes = false, label = "" } = {}) {
  const context = { root: schema ?? {}, files, composes };
  return part(context.root, context, { label, path: "input", required: true });
}

export function messagesPart(roles, { files = true, composes = false, label = "Messages" } = {}) {
  const about = { label, path: label.toLowerCase(), required: true };
  return (composes ? composer : messages)(roles, { files }, about);
}

export const isMessages = (schema, root) => resolved(schema, { root }).format === MESSAGES;

function resolved(schema, context) {
  const seen = new Set();
  let result = schema === true || schema === undefined ? {} : schema;
  while (result.$ref && !seen.has(result.$ref)) {
    seen.add(result.$ref);
    const { $ref, ...own } = result;
    const named = $ref.startsWith("#/$defs/") ? context.root.$defs?.[$ref.slice(8)] : undefined;
    result = { ...(named ?? {}), ...own };
  }
  if (result.allOf?.length === 1) return { ...resolved(result.allOf[0], context), ...result, allOf: undefined };
  return result;
}

function part(declared, context, about) {
  const schema = resolved(declared, context);
  if (schema.format === MESSAGES) return (context.composes ? composer : messages)(MESSAGE_ROLES, context, about);
  const arms = (schema.anyOf ?? schema.oneOf ?? []).map((arm) => resolved(arm, context));
  const real = arms.filter((arm) => arm.type !== "null");
  if (arms.length && real.length === 1) {
    const nullable = real.length < arms.length;
    const inner = part({ ...real[0], title: schema.title ?? real[0].title, default: schema.default }, context, {
      ...about, required: about.required && !nullable,
    });
    return about.required && nullable ? { ...inner, value: () => inner.value() ?? null } : inner;
  }
  if (real.length > 1) return choice(real, context, about, schema.default);
  if (schema.enum) return options(schema.enum, schema, about);
  if ("const" in schema) return options([schema.const], schema, about);
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
  if (type === "string") return text(schema, about);
  if (type === "integer" || type === "number") return number(schema, about, type);
  if (type === "boolean") return checkbox(schema, about);
  if (type === "array" && schema.items && depth(about) < 6) return list(schema, context, about);
  if (schema.properties && !about.required && about.path !== "input") return sometimes(schema, context, about);
  if (schema.properties && depth(about) < 6) return fields(schema, context, about);
  return json(schema, about);
}

const depth = (about) => about.path.split(".").length;
const named = (schema, about) => about.label || schema.title || "Input";

function field(schema, about, control) {
  control.id ||= newId("field");
  const hint = schema.description ? el("small", {}, schema.description) : null;
  const mark = about.required ? null : el("span", { class: "optional" }, " optional");
  const head = el("label", { htmlFor: control.id }, named(schema, about), mark);
  return el("div", { class: "field" }, head, hint, control);
}

function text(schema, about) {
  // Dates with a time are text fields, because the browser's own field for them has no time zone.
  const line = { date: "date", email: "email", uri: "url", uuid: "text", "date-time": "text", time: "text", line: "text" }[schema.format];
  const control = line ? el("input", { type: line }) : el("textarea", { rows: 2, placeholder: schema.examples?.[0] ?? "Text. Enter sends, Shift+Enter begins a new line" });
  control.addEventListener("input", () => grow(control));
  const set = (value) => { control.value = value ?? ""; grow(control); };
  set(schema.default);
  return {
    element: field(schema, about, control),
    value() {
      if (control.value === "" && !about.required) return undefined;
      return control.value;
    },
    set,
  };
}

function number(schema, about, type) {
  const control = el("input", { type: "number", step: type === "integer" ? "1" : "any" });
  const set = (value) => { control.value = value ?? ""; };
  set(schema.default);
  return {
    element: field(schema, about, control),
    value() {
      if (control.validity.badInput) return refused(`${about.path}: expected a number`);
      if (control.value === "") {
        if (about.required) refused(`${about.path}: a number is missing`);
        return undefined;
      }
      return Number(control.value);
    },
    set,
  };
}

function checkbox(schema, about) {
  const control = el("input", { type: "checkbox", id: newId("field") });
  const set = (value) => { control.checked = Boolean(value); };
  set(schema.default);
  let touched = false;
  control.addEventListener("change", () => { touched = true; });
  return {
    element: el("div", { class: "field check" },
      control, el("label", { htmlFor: control.id }, named(schema, about))),
    value: () => (control.checked || touched || about.required ? control.checked : undefined),
    set(value) { touched = value !== undefined; set(value); },
  };
}

function options(values, schema, about) {
  const control = el("select", {},
    ...(about.required ? [] : [el("option", { value: "" }, "")]),
    ...values.map((each, n) => el("option", { value: String(n) }, pretty(each))));
  const set = (value) => {
    const at = values.findIndex((each) => alike(each, value));
    if (at >= 0) control.value = String(at);
    else if (!about.required) control.value = "";
  };
  set(schema.default);
  return {
    element: field(schema, about, control),
    value: () => (control.value === "" ? undefined : values[Number(control.value)]),
    set,
  };
}

function choice(arms, context, about, initial) {
  const parts = arms.map((arm) => part(arm, context, { ...about, label: about.label || arm.title }));
  const select = el("select", { "aria-label": `${about.label || "Input"}: type` },
    ...arms.map((arm, n) => el("option", { value: String(n) }, kindOf(arm))));
  const holder = el("div", { class: "choice" }, select, ...parts.map((each) => each.element));
  const show = () => parts.forEach((each, n) => { each.element.hidden = String(n) !== select.value; });
  // Prefer a list of messages, which has its own editor.
  const best = arms.findIndex((arm) => arm.format === MESSAGES);
  select.value = String(Math.max(0, best));
  select.addEventListener("change", show);
  show();
  const set = (value) => {
    parts.forEach((each) => each.set(undefined));
    const fits = value === undefined ? -1 : arms.findIndex((arm) => fitsIn(arm, value, context));
    if (fits >= 0) { select.value = String(fits); show(); parts[fits].set(value); }
  };
  if (initial !== undefined && initial !== null) set(initial);
  return { element: holder, value: () => parts[Number(select.value)].value(), set };
}

function kindOf(arm) {
  if (arm.format === MESSAGES) return "messages";
  return arm.title ?? (Array.isArray(arm.type) ? arm.type.join(" or ") : arm.type) ?? "JSON";
}

function fitsIn(arm, value, context) {
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  if (arm.type && arm.type !== kind && !(arm.type === "integer" && Number.isInteger(value))) return false;
  if ("const" in arm && !alike(arm.const, value)) return false;
  if (arm.enum && !arm.enum.some((each) => alike(each, value))) return false;
  if (kind !== "object" || !arm.properties) return true;
  return (arm.required ?? []).every((name) => name in value)
    && Object.entries(arm.properties).every(([name, inner]) => !(name in value) || fitsIn(resolved(inner, context), value[name], context));
}

function list(schema, context, about) {
  const label = named(schema, about);
  const items = el("div", { class: "items" });
  let parts = [];
  let count = 0;
  const add = (value) => {
    const n = parts.length ? count : 0;
    count = n + 1;
    const inner = part(schema.items, context, {
      label: `${label} ${n + 1}`, path: `${about.path}.${n}`, required: true,
    });
    if (value !== undefined) inner.set(value);
    const row = el("div", { class: "item" }, inner.element, el("button", {
      type: "button", title: "Remove", "aria-label": `Remove ${label} ${n + 1}`,
      onclick: () => { parts = parts.filter((each) => each !== inner); row.remove(); },
    }, "×"));
    parts.push(inner);
    items.append(row);
  };
  const set = (value) => { parts = []; items.replaceChildren(); (value ?? []).forEach(add); };
  set(schema.default ?? undefined);
  const optional = about.required ? null : el("span", { class: "optional" }, " optional");
  return {
    element: el("fieldset", {}, el("legend", {}, label, optional), items,
      el("button", { type: "button", onclick: () => add() }, "Add")),
    value() {
      const values = parts.map((each) => each.value() ?? null);
      return values.length || about.required ? values : undefined;
    },
    set,
  };
}

function fields(schema, context, about) {
  const must = new Set(schema.required ?? []);
  if (!must.size) {
    // All fields of a graph's state are optional, but most inputs have messages.
    for (const [name, inner] of Object.entries(schema.properties)) {
      if (resolved(inner, context).format === MESSAGES) must.add(name);
    }
  }
  const parts = Object.entries(schema.properties).map(([name, inner]) => [name, part(inner, context, {
    label: inner.title ?? name,
    path: about.path === "input" ? name : `${about.path}.${name}`,
    required: must.has(name),
  })]);
  const inside = parts.map(([, each]) => each.element);
  const top = about.path === "input";
  return {
    element: top
      ? el("div", { class: "fields" }, ...inside)
      : el("fieldset", {}, el("legend", {}, named(schema, about)), ...inside),
    value() {
      const object = {};
      for (const [name, each] of parts) {
        const value = each.value();
        if (value !== undefined) object[name] = value;
      }
      return Object.keys(object).length || about.required ? object : undefined;
    },
    set(value) { for (const [name, each] of parts) each.set(value?.[name]); },
  };
}

// An optional object: a checkbox shows its fields.
function sometimes(schema, context, about) {
  const control = el("input", { type: "checkbox", id: newId("field") });
  const label = named(schema, about);
  const holder = el("div", {});
  let inner = null;
  const show = () => {
    if (control.checked) inner ??= part(schema, context, { ...about, required: true });
    holder.replaceChildren(...(control.checked ? [inner.element] : []));
  };
  const set = (value) => {
    control.checked = value !== undefined && value !== null;
    inner = null;
    show();
    if (control.checked) inner.set(value);
  };
  control.addEventListener("change", show);
  set(schema.default);
  return {
    element: el("div", { class: "sometimes" }, el("div", { class: "field check" }, control,
      el("label", { htmlFor: control.id }, label, el("span", { class: "optional" }, " optional"))), holder),
    value: () => (control.checked ? inner.value() : undefined),
    set,
  };
}

function json(schema, about) {
  const control = el("textarea", { rows: 3, spellcheck: false, class: "code", placeholder: schema.type ? "JSON" : "text or JSON" });
  const set = (value) => { control.value = value === undefined ? "" : JSON.stringify(value, null, 2); grow(control); };
  set(schema.default ?? undefined);
  control.addEventListener("input", () => grow(control));
  return {
    element: field(schema.type ? { ...schema, title: schema.title && `${schema.title} (JSON)` } : schema,
      schema.type ? { ...about, label: about.label && `${about.label} (JSON)` } : about, control),
    value() {
      if (control.value.trim() === "") {
        if (about.required) refused(`${about.path}: JSON is missing`);
        return undefined;
      }
      try {
        return JSON.parse(control.value);
      } catch (error) {
        // A field of any type accepts plain text too.
        if (!schema.type && !/^\s*[[{"]/.test(control.value)) return control.value;
        return refused(`${about.path}: invalid JSON: ${error.message}`);
      }
    },
    set,
  };
}
