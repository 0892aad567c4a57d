// Renders the state of a thread, and the states that it has come from.

import { el, pretty } from "./dom.js";

// line: the states of the branch, oldest first; goTo(state): shows one, to go on from there.
export function statePanel(state, line, goTo) {
  const values = state.values && typeof state.values === "object" && !Array.isArray(state.values) ? Object.entries(state.values) : [["values", state.values]];
  return [
    el("dl", { class: "facts" }, ...facts(state).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    ...values.map(([name, value]) => el("details", { open: values.length === 1 },
      el("summary", {}, el("code", {}, name), el("small", {}, ` ${sizeOf(value)}`)), el("pre", {}, pretty(value)))),
    el("h4", {}, "Checkpoints"),
    el("ol", { class: "checkpoints" }, ...[...line].reverse().map((each) => el("li", {},
      el("button", { type: "button", "aria-current": String(each === state), onclick: () => goTo(each), title: "Show the thread as it was here, and go on from here" },
        el("span", {}, `step ${each.metadata?.step ?? "?"}`), el("small", {}, each.next.length ? `before ${[...new Set(each.next)].join(", ")}` : "end"))))),
  ];
}

const facts = (state) => [
  ["thread", state.checkpoint.thread_id],
  ["checkpoint", state.checkpoint.checkpoint_id],
  ["next", state.next.join(", ") || "nothing: it is at its end"],
];

function sizeOf(value) {
  if (Array.isArray(value)) return `${value.length} items`;
  return typeof value === "string" ? `${value.length} characters` : "";
}
