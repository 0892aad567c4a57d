import { adapterOf } from "./adapters.js";
import { Conversation } from "./conversation.js";
import { byId, copy, el } from "./dom.js";
import { alike, formOf, messagesPart, soFar } from "./form.js";
import { headersPart } from "./headers.js";
import { filesOf } from "./messages.js";
import { Reading } from "./reading.js";
import { inputOf, requestOf, role, snippets, traceUrl } from "./requests.js";
import { BASE, keep, kept } from "./storage.js";
import { StreamError } from "./stream.js";
import { Threads } from "./threads.js";
import { View } from "./view.js";

const MOST_RUNS = 20;

const state = { table: null, route: null, reading: null, view: null, record: null, conversation: null };
let input, configurable, params, traceBox, modelBox, headers, jsonBox;

// The selected route and its form.

function choose(route, initial = {}) {
  state.route = route;
  if (byId("stop").disabled) {
    // Remove the output of the previous route.
    Object.assign(state, { view: null, record: null });
    for (const id of ["answer", "figures"]) byId(id).replaceChildren();
    for (const id of ["error", "reasoning", "copy-answer"]) byId(id).hidden = true;
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
    ? el("select", { id: "model", onchange: () => chooseModel() }, ...route.models.map((each) => el("option", { value: each }, each)))
    : null;
  if (modelBox && initial.model) modelBox.value = initial.model;
  byId("about").replaceChildren(
    el("h2", {}, route.path),
    el("p", {}, el("span", { class: "tag" }, route.format),
      route.resumable ? el("span", { class: "tag" }, "resumable") : "",
      modelBox ? el("label", {}, "Model ", modelBox) : "",
      route.threads ? el("button", { type: "button", id: "new-thread", class: "small", onclick: newThread }, "New thread") : ""));
  fill(initial.input);
  extras(initial);
  converse(initial);
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
  const composes = route.threads;
  input = route.converses
    ? messagesPart(ROLES, { composes, label: composes ? "Message" : "Messages" })
    : formOf(inputOf(route, model()), { composes });
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
  byId("form").replaceChildren(...(composes
    ? [input.element, box, el("div", { class: "row" }, toggle)]
    : [el("div", { class: "row" }, el("h3", {}, "Input"), el("span", { class: "grow" }), toggle), input.element, box]));
}

function chooseModel() {
  fill(jsonBox.on ? jsonOf(jsonBox.area.value) : soFar(input));
  if (state.conversation) newThread(); // another graph has other threads
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

// Conversations.

function converse(initial) {
  const { route } = state;
  arrange();
  if (state.conversation) state.conversation.closed = true;
  state.conversation = null;
  if (!route.threads) return;
  const store = { get: () => kept(`threads ${route.path}`, []), set: (value) => keep(`threads ${route.path}`, value) };
  const url = () => traceUrl({ route, model: model(), params: params?.value() ?? {} }, BASE);
  const threads = new Threads(url, () => headers.value(), store);
  state.conversation = new Conversation(threads, { id: initial.thread, send, wrong, chosen: cleared });
  state.conversation.draw();
  state.conversation.load();
}

// Shows the answer in the transcript, and the input below it, on a route with threads.
function arrange() {
  const chats = state.route.threads && (byId("stop").disabled || running() === state.route);
  const at = (id, where) => byId(where).before(byId(id));
  document.body.classList.toggle("chat", state.route.threads);
  byId("threads").hidden = byId("transcript").hidden = !state.route.threads;
  byId("threads").open = !matchMedia("(max-width: 70rem)").matches;
  byId("run").textContent = state.route.threads ? "Send" : "Run";
  if (!chats) {
    byId("live").hidden = false;
    at("live", "tabs");
  }
  if (state.route.threads) {
    at("error", "form");
    byId("stop").after(byId("state"));
    at("extras", "history");
  } else {
    byId("outcome").prepend(byId("state"));
    byId("figures").after(byId("error"));
    byId("form").after(byId("extras"));
  }
}

function newThread() {
  state.conversation.open();
  focusInput();
}

const focusInput = () => byId("form").querySelector("textarea, input")?.focus();

// Removes the output of the previous run, when another thread is shown.
function cleared() {
  if (!byId("stop").disabled) return;
  state.view = null;
  byId("error").hidden = true;
  for (const id of ["answer", "figures"]) byId(id).replaceChildren();
  showState("ready");
  panels();
}

// Starts a run that the transcript asks for: with an answer, from a checkpoint, or with an edited message.
function send({ body, text, files, checkpoint }) {
  focusInput(); // what has the focus in the transcript goes away
  if (text === undefined) return start({ ...base(), body, checkpoint });
  const content = filesOf(files).length ? [{ type: "text", text }, ...filesOf(files)] : text;
  const message = { role: state.route.converses ? "user" : "human", content };
  const whole = soFar(input);
  return start({ ...base(), input: state.route.converses || Array.isArray(whole) ? [message] : { ...whole, messages: [message] }, checkpoint });
}

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
  if (route.traces[model()]) inner.push(el("div", { class: "field check" }, traceBox, el("label", { htmlFor: "trace" }, "Show each step (otherwise only the route's own frames)")));
  headers = headersPart(draw);
  byId("extras").replaceChildren(...inner, headers.element);
}

function currentInput() {
  return jsonBox.on ? JSON.parse(jsonBox.area.value) : input.value();
}

function base() {
  const { route, conversation } = state;
  return {
    route, model: model(), configurable: configurable?.value() ?? {}, params: params?.value() ?? {},
    headers: headers.value(), chat: conversation?.id ?? `playground-${Date.now().toString(36)}`,
    ...(conversation ? { thread: conversation.id, checkpoint: conversation.checkpoint } : {}),
    traced: Boolean(route.traces[model()] && traceBox.checked),
  };
}

const currentQuestion = () => ({ ...base(), input: currentInput() });

function wrong(error) {
  byId("error").replaceChildren(el("strong", {}, "input"), ` ${error.message}`);
  byId("error").hidden = false;
  showState("not sent");
}

function showState(text) {
  byId("state").textContent = text;
  byId("state").dataset.state = text.split(" ")[0];
}

// Running.

async function run() {
  if (byId("run").disabled) return undefined;
  let question;
  try {
    question = currentQuestion();
  } catch (error) {
    return wrong(error);
  }
  return start(question);
}

async function start(question) {
  let request;
  try {
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
  const request = { method: "GET", headers: { Accept: "text/event-stream", ...headers.value() }, format: record.format, url: record.place };
  // Read the whole stream again, to show the answer from its start.
  record = { ...record, state: "running" };
  remember(record);
  return follow(Reading.of(record.place, "", request), record, true);
}

// resumed: whether the run has begun before.
async function follow(reading, record, resumed = false) {
  state.reading?.leave();
  if (state.view) state.view.replaced = true;
  const view = new View();
  Object.assign(state, { reading, view, record });
  const conversation = record.thread ? state.conversation : null;
  if (conversation) resumed ? conversation.resumed() : showTurn(conversation, record);
  const traced = record.traced && reading.request.format === "events";
  const adapt = adapterOf(reading.request.format, view, traced ? running() : undefined);
  panels();
  buttons(true);
  showState("streaming");
  // On a narrow screen the answer is below the form.
  if (!conversation && matchMedia("(max-width: 44rem)").matches) byId("outcome").scrollIntoView();
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
    if (end === "failed") view.error(error instanceof StreamError ? error : { code: "connection", message: error.message });
    if (error instanceof StreamError) conversation?.refused();
    if (error instanceof StreamError && conversation && record.input !== undefined) holds(record.input);
    // The run may continue although the connection is lost.
    if (end === "failed" && reading.place && !(error instanceof StreamError)) end = "left";
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
  await conversation?.ended(end, view.answer);
}


// Shows what the user says in a new run, and empties its field.
function showTurn(conversation, record) {
  const value = record.body === undefined ? record.input : undefined;
  const messages = Array.isArray(value) ? value : value?.messages;
  conversation.began({ message: messages?.at(-1), checkpoint: record.checkpoint });
  if (messages && alike(value, soFar(input))) input.set(value === messages ? [] : { ...value, messages: [] });
}

function buttons(busy) {
  const focused = document.activeElement;
  byId("run").disabled = busy;
  byId("stop").disabled = !busy;
  if (focused === byId("run") && busy) state.route.threads ? focusInput() : byId("stop").focus();
  else if (focused === byId("stop") && !busy) state.route.threads ? focusInput() : byId("run").focus();
  byId("leave").disabled = !busy || !running().resumable;
  byId("resume").disabled = busy || state.record?.state !== "left" || !state.record?.place;
}

async function stop() {
  const { reading } = state;
  if (!reading || byId("stop").disabled) return;
  state.stopped = reading;
  state.view.stopping = true;
  showState("stopping");
  try {
    await reading.stop();
  } catch (error) {
    if (!(error instanceof StreamError)) return reading.leave();
    state.stopped = null;
    state.view.stopping = false;
    state.view.error(error);
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

const TABS = ["Timeline", "Frames", "Code", "State"];
let tab = "Timeline";

function panels() {
  const shown = byId("tabs");
  if (!shown.childElementCount) {
    shown.append(...TABS.map((name, n) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`,
      onclick: () => pick(name),
      onkeydown: (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const all = TABS.filter((each) => !byId(`tab-${each}`).hidden);
        if (by) pick(all[(n + by + all.length) % all.length], true);
      },
    }, name)));
    byId("panels").append(...TABS.map((name) => el("div", { id: `panel-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}`, tabIndex: 0 })));
  }
  byId("panel-Timeline").replaceChildren(state.view?.timeline ?? el("p", { class: "hint" }, "Steps, models and tools appear here as they happen."));
  byId("tab-State").hidden = !state.route.threads;
  if (tab === "State" && !state.route.threads) tab = TABS[0];
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
    const question = state.conversation && !jsonBox.on ? { ...base(), input: exampleInput() } : currentQuestion();
    examples = snippets(requestOf({ ...question, checkpoint: undefined, traced: false }, BASE));
  } catch (error) {
    byId("panel-Code").replaceChildren(el("p", { class: "hint" }, error.message));
    return;
  }
  byId("panel-Code").replaceChildren(...Object.entries(examples).map(([name, text]) => {
    const button = el("button", { type: "button", onclick: () => copy(text, button) }, "Copy");
    return el("figure", {}, el("figcaption", { class: "row" }, name, el("span", { class: "grow" }), button), el("pre", { class: "code", id: `code-${name}` }, text));
  }));
}

// Returns what is typed, or as long as that is nothing, a message.
function exampleInput() {
  const value = soFar(input);
  const empty = byId("form").querySelector(".composer textarea")?.value === "";
  if (!empty) return value;
  const messages = [{ role: "user", content: "Hi!" }];
  return state.route.converses ? messages : { ...value, messages };
}

function draw() { if (tab === "Code" && byId("panel-Code")) code(); }

function link() {
  try {
    const question = state.conversation && !jsonBox.on ? { ...base(), input: soFar(input) } : currentQuestion();
    const parts = new URLSearchParams({ route: question.route.path });
    if (!question.thread || question.input) parts.set("input", JSON.stringify(question.input ?? null));
    if (Object.keys(question.configurable).length) parts.set("configurable", JSON.stringify(question.configurable));
    if (Object.keys(question.params).length) parts.set("params", JSON.stringify(question.params));
    if (modelBox) parts.set("model", question.model);
    if (question.thread) parts.set("thread", question.thread);
    history.replaceState(null, "", `#${parts}`);
    copy(location.href, byId("link"));
  } catch (error) { wrong(error); }
}

function linked() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const route = routeAt(parts.get("route"));
  if (!route) return null;
  const read = (name) => jsonOf(parts.get(name)) ?? undefined;
  return [route, { input: read("input"), configurable: read("configurable"), params: read("params"), model: parts.get("model"), thread: parts.get("thread") ?? undefined }];
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
// Enter in a field of the input sends it, except in one for JSON.
function sends({ target, shiftKey, altKey, isComposing }) {
  if (shiftKey || altKey || isComposing || !target.closest("#form, #extras fieldset, #question")) return false;
  return target.tagName === "TEXTAREA" ? !target.classList.contains("code") : /^(text|number|date|email|url)$/.test(target.type);
}

byId("extras").addEventListener("change", () => { if (!state.conversation?.busy) state.conversation?.load(); }); // as another user, perhaps
addEventListener("hashchange", () => {
  const selection = linked();
  if (selection) choose(...selection);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // following the link would replace the hash, which may contain the input
  focusInput();
});
byId("theme").addEventListener("click", () => {
  const next = { light: "dark", dark: "" }[kept("theme", "")] ?? "light";
  keep("theme", next);
  theme(next);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.target.closest("#question")) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape") stop();
  else if (event.key === "Enter" && sends(event)) {
    event.preventDefault();
    const question = event.target.closest("#question");
    if (question) question.requestSubmit();
    else run();
  }
});
theme(kept("theme", ""));
begin().catch((error) => { showState("not loaded"); wrong(error); });
