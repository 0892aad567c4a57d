// Renders one run: its answer, its figures, and the timeline of its steps.

import { byId, el, pretty } from "./dom.js";

const MOST_FRAMES = 1000;
const KINDS = { chat_model: "model", llm: "model", chain: "step", tool: "tool", retriever: "retrieval",
  prompt: "prompt", parser: "parser", step: "step" };

let markdown;
export function rendered(text) {
  if (!markdown) {
    markdown = window.markdownit({ html: false, linkify: true, breaks: true });
    markdown.renderer.rules.link_open = (tokens, at, options, env, self) => {
      tokens[at].attrSet("target", "_blank");
      tokens[at].attrSet("rel", "noopener noreferrer");
      return self.renderToken(tokens, at, options);
    };
    // The page's Content-Security-Policy forbids style attributes.
    for (const cell of ["th_open", "td_open"]) {
      markdown.renderer.rules[cell] = (tokens, at, options, env, self) => {
        const [, side] = /text-align:(\w+)/.exec(tokens[at].attrGet("style") ?? "") ?? [];
        tokens[at].attrs = side ? [["class", `at-${side}`]] : null;
        return self.renderToken(tokens, at, options);
      };
    }
    // The page loads nothing from other hosts: an image is shown as a link, unless it is a data: URL.
    const image = markdown.renderer.rules.image;
    markdown.renderer.rules.image = (tokens, at, options, env, self) => {
      const source = tokens[at].attrGet("src") ?? "";
      if (source.startsWith("data:image/")) return image(tokens, at, options, env, self);
      const safe = markdown.utils.escapeHtml(source);
      return `<a href="${safe}" target="_blank" rel="noopener noreferrer">${markdown.utils.escapeHtml(tokens[at].content || source)}</a>`;
    };
  }
  return markdown.render(text);
}

export class View {
  constructor() {
    this.waiting = new Map();
    this.began = performance.now();
    this.answer = "";
    this.thought = "";
    this.pieces = 0;
    this.steps = new Map();
    this.usages = { input_tokens: 0, output_tokens: 0 };
    this.frames = 0;
    this.failed = false;
    this.interrupted = false;
    this.stopping = false; // whether the user has stopped it
    this.replaced = false;
    this.timeline = el("ol", { class: "timeline", id: "timeline" });
    this.raw = el("ol", { class: "raw", id: "frames" });
    byId("answer").replaceChildren();
    byId("copy-answer").hidden = true;
    byId("thoughts").textContent = "";
    byId("reasoning").hidden = true;
    byId("error").hidden = true;
    this.figures();
  }

  get seconds() { return (performance.now() - this.began) / 1000; }

  text(piece) {
    if (!piece) return;
    this.#spoken();
    this.pieces += 1;
    this.answer += piece;
    this.show("answer", () => {
      const answer = byId("answer");
      const box = answer.closest("#transcript") ?? answer;
      const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      answer.innerHTML = rendered(this.answer);
      byId("copy-answer").hidden = false;
      if (follows) box.scrollTop = box.scrollHeight;
    });
    this.figures();
  }

  reasoning(piece) {
    if (!piece) return;
    this.#spoken();
    this.thought += piece;
    this.show("thoughts", () => {
      byId("reasoning").hidden = false;
      byId("thoughts").textContent = this.thought;
    });
  }

  // Shows the output of a run that has no text.
  output(value) {
    if (value === undefined || value === null || this.answer) return;
    this.#spoken();
    this.show("answer", () => {
      if (this.answer) return;
      byId("answer").replaceChildren(el("pre", {}, pretty(value)));
      byId("copy-answer").hidden = false;
    });
  }

  begin(id, { kind, name, depth, input, node, parent }) {
    let step = this.steps.get(id);
    if (!step) {
      step = { began: this.seconds, kind, name, depth: this.#depthOf(parent, depth) };
      this.steps.set(id, step);
      step.bar = el("span", { class: "bar" });
      step.took = el("span", { class: "took" }, "…");
      step.title = el("span", { class: "name" });
      step.inside = el("div", { class: "inside" });
      step.details = el("details", {},
        el("summary", {}, el("span", { class: `kind ${KINDS[kind] ?? "step"}` }, KINDS[kind] ?? kind),
          step.title, step.took),
        step.inside);
      step.element = el("li", { class: "running" }, step.details, el("span", { class: "track" }, step.bar));
      step.element.style.marginLeft = `${Math.min(6, step.depth - 1) * 0.9}rem`;
      this.timeline.append(step.element);
    }
    if (name) step.title.textContent = node && node !== name ? `${name} (${node})` : name;
    if (input !== undefined) step.inside.append(el("h4", {}, "Input"), el("pre", {}, pretty(input)));
    this.bars();
    return step;
  }

  // A tool call while its model generates it. The events of the tool follow, without arguments.
  call(model, piece) {
    const key = `${model} ${piece.index ?? 0}`;
    let step = this.steps.get(key);
    if (piece.name && !step) {
      step = this.begin(key, { kind: "tool", name: `calls ${piece.name}`, parent: model, depth: 2 });
      step.json = "";
      step.shown = el("pre");
      step.inside.append(el("h4", {}, "Arguments"), step.shown);
      step.details.open = true;
    }
    if (step) {
      step.json += piece.args ?? "";
      step.shown.textContent = step.json;
      this.#finish(step);
    }
  }

  end(id, { output, error, name }) {
    const step = this.steps.get(id) ?? (name ? this.begin(id, { kind: "tool", name, depth: 2 }) : null);
    if (!step) return;
    if (output !== undefined && output !== null) {
      const content = output?.type === "tool" ? output.content : output;
      step.inside.append(el("h4", {}, "Result"), el("pre", {}, pretty(content)));
    }
    if (error) {
      step.element.classList.add("failed");
      step.inside.append(el("h4", {}, "Error"), el("pre", {}, pretty(error)));
      step.details.open = true;
    }
    this.#finish(step);
  }

  // interrupts: the interrupts of the run; an empty list at a breakpoint.
  waits(interrupts) {
    if (!interrupts) return;
    if (!this.interrupted) interrupts.forEach((each) => this.note("interrupt", each?.value ?? each));
    this.interrupted = true;
  }

  note(name, data) {
    const inside = el("div", { class: "inside" }, el("pre", {}, pretty(data)));
    this.timeline.append(el("li", { class: "note" }, el("details", {},
      el("summary", {}, el("span", { class: "kind note" }, "event"), el("span", { class: "name" }, name),
        el("span", { class: "took" }, `${this.seconds.toFixed(2)} s`)), inside)));
  }

  usage(counts) {
    for (const name of Object.keys(this.usages)) this.usages[name] += counts[name] ?? 0;
    this.figures();
  }

  error(problem) {
    this.failed = true;
    this.failure = problem;
    if (this.stopping && problem.code === "cancelled") return this.note("stopped", "You stopped the run.");
    const fields = Object.entries(problem.fields ?? {}).filter(([field, what]) => problem.message !== `${field}: ${what}`).map(([field, what]) => el("li", {}, `${field}: ${what}`));
    byId("error").replaceChildren(
      el("strong", {}, problem.code || "error"), " ", problem.message ?? "",
      fields.length ? el("ul", {}, ...fields) : null ?? "",
      problem.detail ? el("pre", {}, problem.detail) : "",
      problem.id ? el("small", {}, `error id ${problem.id}, also in the server's log`) : "");
    byId("error").hidden = false;
    this.timeline.append(el("li", { class: "note failed" }, el("span", { class: "kind failed" }, "error"), " ",
      el("span", { class: "name" }, `${problem.code ?? ""} ${problem.message ?? ""}`)));
    return undefined;
  }

  frame({ name, data, id }) {
    this.frames += 1;
    const head = [`${this.seconds.toFixed(3)} s`, name && `event: ${name}`, id && `id: ${id}`].filter(Boolean);
    this.raw.append(el("li", {}, el("small", {}, head.join("  ")), el("code", {}, data)));
    if (this.raw.childElementCount > MOST_FRAMES) this.raw.firstElementChild.remove();
  }

  done() {
    for (const step of this.steps.values()) {
      if (step.element.classList.contains("running")) this.#finish(step);
    }
    this.ended = this.seconds;
    this.figures();
    this.bars();
  }

  figures() {
    this.show("figures", () => {
      const figures = [["time", `${(this.ended ?? this.seconds).toFixed(2)} s`]];
      if (this.first !== undefined) figures.push(["first token", `${this.first.toFixed(2)} s`]);
      const speaking = (this.last ?? 0) - (this.first ?? 0);
      const tokens = this.usages.output_tokens || this.pieces;
      if (this.pieces > 1 && speaking > 0) figures.push(["tokens/s", (tokens / speaking).toFixed(1)]);
      if (this.usages.output_tokens) figures.push(["usage", `${this.usages.input_tokens} in, ${this.usages.output_tokens} out`]);
      else if (this.pieces) figures.push(["pieces", String(this.pieces)]);
      figures.push(["frames", String(this.frames)]);
      byId("figures").replaceChildren(...figures.map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", { id: `figure-${name.replace(/\W/g, "-")}` }, value))));
    });
  }

  bars() {
    this.show("bars", () => {
      const whole = Math.max(this.ended ?? this.seconds, 0.001);
      for (const step of this.steps.values()) {
        step.bar.style.left = `${(100 * step.began) / whole}%`;
        step.bar.style.width = `${Math.max(0.5, (100 * ((step.ended ?? whole) - step.began)) / whole)}%`;
      }
    });
  }

  // Draws at most once per animation frame.
  show(what, draw) {
    if (this.replaced) return;
    if (!this.waiting.size) requestAnimationFrame(() => {
      const all = [...this.waiting.values()];
      this.waiting.clear();
      if (this.replaced) return;
      for (const each of all) each();
    });
    this.waiting.set(what, draw);
  }

  #spoken() {
    this.last = this.seconds;
    this.first ??= this.last;
  }

  #depthOf(parent, depth) {
    const above = this.steps.get(parent);
    return above ? above.depth + 1 : Math.min(depth ?? 1, 2);
  }

  #finish(step) {
    step.ended = this.seconds;
    step.took.textContent = `${(step.ended - step.began).toFixed(2)} s`;
    step.element.classList.remove("running");
    this.bars();
  }
}
