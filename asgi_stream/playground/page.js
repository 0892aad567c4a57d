import { adapterOf } from "./adapters.js";
import { byId, copy, el, newId } from "./dom.js";
import { alike, formOf, messagesPart, soFar } from "./form.js";
import { Reading, Refused } from "./reading.js";
import { requestOf, role, snippets } from "./requests.js";
import { View } from "./view.js";

// The path of the app that serves this page, wherever the app is mounted.
const BASE = location.pathname.replace(/\/+$/, "").replace(/\/playground$/, "");
const KEY = `asgi_stream ${BASE}`;
const MOST_RUNS = 20;

const state = { table: null, route: null, reading: null, view: null, record: null };
let input, configurable, params, traceBox, modelBox, headersPart, jsonBox;

// Values in the browser's storage.

const kept = (name, other) => {
  try { return JSON.parse(localStorage.getItem(`${KEY} ${name}`)) ?? other; } catch { return other; }
};
const keep = (name, value) => {
  try { localStorage.setItem(`${KEY} ${name}`, JSON.stringify(value)); } catch { /* full, or blocked */ }
};
const secret = {
  get: () => { try { return JSON.parse(sessionStorage.getItem(KEY)) ?? {}; } catch { return {}; } },
  set: (value) => { try { sessionStorage.setItem(KEY, JSON.stringify(value)); } catch { /* blocked */ } },
};

// The selected route and its form.

const chats = (route) => route.converses;

function choose(route, initial = {}) {
  state.route = route;
  if (byId("stop").disabled) {
    // Remove the output of the previous route.
    Object.assign(state, { view: null, record: null });
    for (const id of ["answer", "figures"]) byId(id).replaceChildren();
    for (const id of ["error", "reasoning"]) byId(id).hidden = true;
    showState("ready");
    panels();
    buttons(false);
  } else if (state.record) {
    showState(`streaming ${state.record.path}`);
  }
  byId("picker").value = route.path;
  for (const button of byId("routes").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.path === route.path));
  }
  modelBox = route.models.length > 1
    ? el("select", { id: "model", onchange: () => fill(jsonBox.on ? jsonOf(jsonBox.area.value) : soFar(input)) }, ...route.models.map((each) => el("option", { value: each }, each)))
    : null;
  if (modelBox && initial.model) modelBox.value = initial.model;
  byId("about").replaceChildren(
    el("h2", {}, route.path),
    el("p", {}, el("span", { class: "tag" }, route.format),
      route.resumable ? el("span", { class: "tag" }, "resumable") : "",
      modelBox ? el("label", {}, "Model ", modelBox) : ""));
  fill(initial.input);
  extras(initial);
  byId("leave").hidden = !(byId("stop").disabled ? route : running()).resumable;
  byId("resume").hidden = !route.resumable;
  draw();
}

// The route of the current run.
const running = () => routeAt(state.record.path) ?? state.route;
const routeAt = (path) => state.table.routes.find((each) => each.path === path);
const jsonOf = (text) => { try { return JSON.parse(text); } catch { return undefined; } };

const model = () => modelBox?.value ?? state.route.models[0];

function fill(value) {
  const { route } = state;
  input = chats(route)
    ? messagesPart(ROLES, { label: "Messages" })
    : formOf(route.inputs[model()]);
  const held = value === undefined || holds(value);
  const area = el("textarea", { id: "json", rows: 8, spellcheck: false, class: "code", "aria-label": "Input as JSON" });
  const box = el("div", { class: "field", hidden: true }, area);
  const toggle = el("button", { type: "button", id: "as-json", "aria-pressed": "false" }, "JSON");
  jsonBox = { area, on: false };
  const show = (on) => {
    jsonBox.on = on;
    toggle.setAttribute("aria-pressed", String(on));
    box.hidden = !on;
    input.element.hidden = on;
  };
  toggle.addEventListener("click", () => {
    byId("error").hidden = true;
    if (!jsonBox.on) area.value = JSON.stringify(soFar(input) ?? null, null, 2);
    else {
      try {
        if (!holds(JSON.parse(area.value))) throw new Error("the form cannot show all of this input; edit it as JSON");
      } catch (error) { return wrong(error); }
    }
    show(!jsonBox.on);
    return draw();
  });
  if (!held) {
    area.value = JSON.stringify(value, null, 2);
    show(true);
  }
  byId("form").replaceChildren(el("div", { class: "row" }, el("h3", {}, "Input"), el("span", { class: "grow" }), toggle), input.element, box);
}

// Sets the form's value. Returns whether the form can show all of it.
function holds(value) {
  input.set(value);
  return alike(plain(soFar(input)), plain(value));
}

// Converts each way to write a message to the one that the form uses.
function plain(value) {
  if (Array.isArray(value)) {
    if (value.length === 2 && value.every((each) => typeof each === "string") && ROLES.includes(role(value[0]))) {
      return { role: role(value[0]), content: value[1] };
    }
    return value.map(plain);
  }
  if (typeof value?.role === "string") return { ...value, role: role(value.role) };
  return value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)])) : value;
}
const ROLES = ["user", "assistant", "system"];

function extras(initial) {
  const { route } = state;
  const inner = [];
  const names = [...route.path.matchAll(/{(\w+)(?::\w+)?}/g)].map((match) => match[1]);
  params = names.length ? formOf({ properties: Object.fromEntries(names.map((name) => [name, { type: "string", format: "line" }])), required: names }) : null;
  if (params) inner.push(el("fieldset", {}, el("legend", {}, "Path"), params.element));
  const keys = Object.keys(route.configurable);
  const lines = Object.fromEntries(keys.map((key) => [key, { ...route.configurable[key] }]));
  for (const each of Object.values(lines)) if (each.type === "string") each.format ??= "line";
  configurable = keys.length ? formOf({ properties: lines }) : null;
  if (configurable) inner.push(el("fieldset", {}, el("legend", {}, "Configurable"), configurable.element));
  if (params && initial.params) params.set(initial.params);
  if (configurable && initial.configurable) configurable.set(initial.configurable);
  traceBox = el("input", { type: "checkbox", id: "trace", checked: initial.traced ?? kept("traced", true), onchange: () => { keep("traced", traceBox.checked); draw(); } });
  if (route.trace) inner.push(el("div", { class: "field check" }, traceBox, el("label", { htmlFor: "trace" }, "Show each step (otherwise only the route's own frames)")));
  headersPart = headers();
  byId("extras").replaceChildren(...inner, headersPart.element);
}

function headers() {
  const rows = el("div", { class: "items" });
  const save = () => { secret.set(value()); draw(); };
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

function currentInput() {
  return jsonBox.on ? JSON.parse(jsonBox.area.value) : input.value();
}

function currentQuestion() {
  return {
    route: state.route, model: model(), input: currentInput(),
    configurable: configurable?.value() ?? {}, params: params?.value() ?? {},
    headers: headersPart.value(), chat: `playground-${Date.now().toString(36)}`,
    traced: Boolean(state.route.trace && traceBox.checked),
  };
}

function wrong(error) {
  byId("error").replaceChildren(el("strong", {}, "input"), ` ${error.message}`);
  byId("error").hidden = false;
  showState("not sent");
}

function showState(text) { byId("state").textContent = text; }

// Running.

async function run() {
  let request, question;
  try {
    question = currentQuestion();
    request = requestOf(question, BASE);
  } catch (error) {
    return wrong(error);
  }
  const { headers: _, route, ...rest } = question;
  const record = { id: Date.now(), path: route.path, ...rest, format: request.format, state: "running", text: "" };
  remember(record);
  return follow(new Reading(request, (reading) => remember({ ...record, place: reading.place })), record);
}

async function resume(record) {
  const request = { method: "GET", headers: { Accept: "text/event-stream", ...headersPart.value() }, format: record.format, url: record.place };
  // Read the whole stream again, to show the answer from its start.
  record = { ...record, state: "running" };
  remember(record);
  return follow(Reading.of(record.place, "", request), record);
}

async function follow(reading, record) {
  state.reading?.leave();
  if (state.view) state.view.replaced = true;
  const view = new View();
  Object.assign(state, { reading, view, record });
  const traced = record.traced && reading.request.format === "events";
  const adapt = adapterOf(reading.request.format, view, traced ? running() : undefined);
  panels();
  buttons(true);
  showState("streaming");
  // On a narrow screen the answer is below the form.
  if (matchMedia("(max-width: 44rem)").matches) byId("outcome").scrollIntoView();
  const ticking = setInterval(() => { view.figures(); view.bars(); }, 200);
  let end = "done";
  try {
    for await (const frame of reading.frames()) {
      view.frame(frame);
      adapt(frame);
    }
    if (view.interrupted) end = "interrupted";
    if (view.failed) end = view.failure.code === "cancelled" ? "stopped" : "failed";
  } catch (error) {
    const gone = state.left === reading || state.reading !== reading;
    end = gone ? "left" : state.stopped === reading ? "stopped" : "failed";
    if (end === "failed") view.error(error instanceof Refused ? error.problem : { code: "connection", message: error.message });
    // The run may continue although the connection is lost.
    if (end === "failed" && reading.place && !(error instanceof Refused)) end = "left";
  } finally {
    clearInterval(ticking);
  }
  view.done();
  record = { ...record, place: reading.place, state: end, text: view.answer.slice(0, 500), seconds: view.ended };
  remember(record);
  if (state.reading !== reading) return;
  state.record = record;
  showState(end);
  buttons(false);
}

function buttons(busy) {
  const focused = document.activeElement;
  byId("run").disabled = busy;
  byId("stop").disabled = !busy;
  if (focused === byId("run") && busy) byId("stop").focus();
  else if (focused === byId("stop") && !busy) byId("run").focus();
  byId("leave").disabled = !busy || !running().resumable;
  byId("resume").disabled = busy || state.record?.state !== "left" || !state.record?.place;
}

async function stop() {
  const { reading } = state;
  if (!reading || byId("stop").disabled) return;
  state.stopped = reading;
  showState("stopping");
  try {
    await reading.stop();
  } catch (error) {
    if (!(error instanceof Refused)) return reading.leave();
    state.stopped = null;
    state.view.error(error.problem);
    showState("streaming");
  }
  return undefined;
}

function leave() {
  state.left = state.reading;
  state.reading.leave();
}

// Recent runs.

function remember(record) {
  const runs = kept("runs", []).filter((each) => each.id !== record.id);
  const small = JSON.stringify(record).length < 20000 ? record : { ...record, input: undefined, large: true };
  keep("runs", [small, ...runs].slice(0, MOST_RUNS));
  listRuns();
}

function listRuns() {
  const runs = kept("runs", []);
  byId("runs").replaceChildren(...runs.map((each) => {
    const route = routeAt(each.path);
    const words = el("span", { class: "words" }, each.text || JSON.stringify(each.input ?? "").slice(0, 80));
    return el("li", {}, el("button", { type: "button", disabled: !route, onclick: () => {
      choose(route, each);
      if (each.large) wrong(new Error("the run's input was too large to store"));
      if (each.place && ["running", "left"].includes(each.state)) resume(each);
    } }, el("small", {}, `${new Date(each.id).toLocaleTimeString()} ${each.path} ${each.state}`), words));
  }), runs.length ? el("li", {}, el("button", { type: "button", onclick: () => { keep("runs", []); listRuns(); } }, "Clear history")) : "");
}

// The panels: timeline, frames, the request as code.

const TABS = ["Timeline", "Frames", "Code"];
let tab = "Timeline";

function panels() {
  const shown = byId("tabs");
  if (!shown.childElementCount) {
    shown.append(...TABS.map((name, n) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`,
      onclick: () => pick(name),
      onkeydown: (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (by) pick(TABS[(n + by + TABS.length) % TABS.length], true);
      },
    }, name)));
    byId("panels").append(...TABS.map((name) => el("div", { id: `panel-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}`, tabIndex: 0 })));
  }
  byId("panel-Timeline").replaceChildren(state.view?.timeline ?? el("p", { class: "hint" }, "Steps, models and tools appear here as they happen."));
  byId("panel-Frames").replaceChildren(state.view?.raw ?? el("p", { class: "hint" }, "The frames of the stream appear here as they arrive."));
  pick(tab);
}

function pick(name, focus = false) {
  tab = name;
  for (const each of TABS) {
    const button = byId(`tab-${each}`);
    button.setAttribute("aria-selected", String(each === name));
    button.tabIndex = each === name ? 0 : -1;
    byId(`panel-${each}`).hidden = each !== name;
  }
  if (focus) byId(`tab-${name}`).focus();
  if (name === "Code") code();
}

function code() {
  let examples;
  try {
    // The request that an app would send, without the trace of each step.
    examples = snippets(requestOf({ ...currentQuestion(), traced: false }, BASE));
  } catch (error) {
    byId("panel-Code").replaceChildren(el("p", { class: "hint" }, error.message));
    return;
  }
  byId("panel-Code").replaceChildren(...Object.entries(examples).map(([name, text]) => {
    const button = el("button", { type: "button", onclick: () => copy(text, button) }, "Copy");
    return el("figure", {}, el("figcaption", { class: "row" }, name, el("span", { class: "grow" }), button), el("pre", { class: "code", id: `code-${name}` }, text));
  }));
}

function draw() { if (tab === "Code" && byId("panel-Code")) code(); }

function link() {
  try {
    const question = currentQuestion();
    const parts = new URLSearchParams({ route: question.route.path, input: JSON.stringify(question.input ?? null) });
    if (Object.keys(question.configurable).length) parts.set("configurable", JSON.stringify(question.configurable));
    if (Object.keys(question.params).length) parts.set("params", JSON.stringify(question.params));
    if (modelBox) parts.set("model", question.model);
    history.replaceState(null, "", `#${parts}`);
    copy(location.href, byId("link"));
  } catch (error) { wrong(error); }
}

function linked() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const route = routeAt(parts.get("route"));
  if (!route) return null;
  const read = (name) => jsonOf(parts.get(name)) ?? undefined;
  return [route, { input: read("input"), configurable: read("configurable"), params: read("params"), model: parts.get("model") }];
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  const shown = { light: "Light", dark: "Dark" }[name] ?? "Auto";
  byId("theme").textContent = shown;
  byId("theme").setAttribute("aria-label", `Theme: ${shown}`);
}

async function begin() {
  const response = await fetch(`${BASE}/playground/table.json`);
  if (!response.ok) throw new Error(`the table could not be loaded: ${response.status}`);
  const table = (state.table = await response.json());
  document.title = `${table.title}: playground`;
  byId("title").textContent = table.title;
  byId("routes").append(...table.routes.map((route) => el("button", {
    type: "button", "data-path": route.path, onclick: () => choose(route),
  }, el("span", {}, route.path), el("small", {}, route.format))));
  for (const button of byId("routes").children) button.dataset.path = button.getAttribute("data-path");
  byId("picker").append(...table.routes.map((route) => el("option", { value: route.path }, `${route.path} (${route.format})`)));
  byId("picker").addEventListener("change", () => choose(routeAt(byId("picker").value)));
  if (!table.routes.length) throw new Error("the table has no routes");
  // A run without a URL cannot be joined after a reload.
  keep("runs", kept("runs", []).map((each) => (each.state === "running" && !each.place ? { ...each, state: "lost" } : each)));
  listRuns();
  const [last] = kept("runs", []);
  const going = last?.place && last.state === "running" && routeAt(last.path);
  const [route, initial] = linked() ?? [going || table.routes[0], going ? last : {}];
  choose(route, initial);
  if (going === route) resume(last);
}

byId("run").addEventListener("click", run);
byId("stop").addEventListener("click", stop);
byId("leave").addEventListener("click", leave);
byId("resume").addEventListener("click", () => resume(state.record));
byId("link").addEventListener("click", link);
byId("form").addEventListener("submit", (event) => event.preventDefault());
for (const where of ["form", "extras"]) {
  byId(where).addEventListener("input", draw);
  byId(where).addEventListener("click", draw);
}
addEventListener("hashchange", () => {
  const selection = linked();
  if (selection) choose(...selection);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // following the link would replace the hash, which may contain the input
  byId("form").querySelector("button").focus();
});
byId("theme").addEventListener("click", () => {
  const next = { light: "dark", dark: "" }[kept("theme", "")] ?? "light";
  keep("theme", next);
  theme(next);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !byId("run").disabled) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape") stop();
});
theme(kept("theme", ""));
begin().catch((error) => { showState("not loaded"); wrong(error); });
