// The headers of all requests, kept for this tab.

import { el, newId } from "./dom.js";
import { secret } from "./storage.js";

// changed: called when a header changes.
export function headersPart(changed) {
  const rows = el("div", { class: "items" });
  const save = () => { secret.set(value()); changed(); };
  const value = () => Object.fromEntries([...rows.children]
    .map((row) => [...row.querySelectorAll("input")].map((each) => each.value.trim()))
    .filter(([name]) => name));
  const add = (name = "", content = "") => {
    const row = el("div", { class: "item row" },
      el("input", { value: name, placeholder: "Authorization", "aria-label": "Header", oninput: save, id: newId("header") }),
      el("input", { value: content, placeholder: "Bearer …", "aria-label": "Value", oninput: save, autocomplete: "off", id: newId("value") }),
      el("button", { type: "button", "aria-label": "Remove the header", onclick: () => { row.remove(); save(); } }, "×"));
    rows.append(row);
  };
  Object.entries(secret.get()).forEach(([name, content]) => add(name, content));
  const many = rows.childElementCount;
  const element = el("details", { id: "headers", open: many > 0 }, el("summary", {}, "Headers"), rows,
    el("button", { type: "button", onclick: () => add() }, "Add header"),
    el("small", {}, "Stored in this tab only."));
  return { element, value };
}
