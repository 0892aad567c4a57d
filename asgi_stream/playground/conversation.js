// A route's conversation on one thread: the list of threads, the transcript, and what is asked.

import { Branches, messagesOf } from "./branches.js";
import { byId, el, pretty, uuid } from "./dom.js";
import { textOf } from "./messages.js";
import { questionsOf } from "./questions.js";
import { statePanel } from "./state.js";
import { messageItem, transcriptOf } from "./transcript.js";

export class Conversation {
  #loads = 0;
  busy = false;
  partial = false; // whether the last run has not finished what it has said
  closed = false; // whether another is shown
  loading = false;
  end = null;
  sent = null;
  branches = new Branches([], true);
  head = null;
  listed = [];
  problem = null;

  // threads: a Threads; send(command): starts a run with {body, text, files, checkpoint};
  // wrong(error): tells of an answer that cannot be sent; chosen(): another thread is shown.
  constructor(threads, { id, send, wrong, chosen }) {
    this.threads = threads;
    this.fresh = id === undefined; // nothing is known of it to anyone
    this.id = id ?? uuid();
    Object.assign(this, { send, wrong, chosen });
  }

  // The checkpoint to go on from, if that is not the newest.
  get checkpoint() {
    return this.head && this.head !== this.branches.newest ? this.head.checkpoint.checkpoint_id : undefined;
  }

  async open(id) {
    this.fresh = id === undefined;
    this.id = id ?? uuid();
    Object.assign(this, { end: null, partial: false, sent: null, head: null, branches: new Branches([], true) });
    this.chosen();
    await this.load();
  }

  // Reads the thread and the list of threads.
  async load() {
    const load = ++this.#loads;
    this.loading = true;
    byId("transcript").setAttribute("aria-busy", "true");
    const states = this.fresh ? { states: [], whole: true } : this.threads.states(this.id);
    const [thread, list] = await Promise.allSettled([states, this.threads.list()]);
    if (load !== this.#loads || this.closed) return;
    this.loading = false;
    this.problem = [thread, list].find((each) => each.status === "rejected")?.reason ?? null;
    if (thread.status === "fulfilled") {
      this.branches = new Branches(thread.value.states, thread.value.whole);
      this.head = this.branches.newest ?? null;
      this.sent = null;
    }
    if (list.status === "fulfilled") this.listed = list.value;
    this.draw();
  }

  // A run begins; message: what the user says with it.
  began({ message, checkpoint }) {
    this.busy = true;
    this.fresh = false;
    this.#loads += 1;
    this.sent = message ?? null;
    this.cut = checkpoint;
    this.threads.remember(this.id, message ? textOf(message.content).slice(0, 80) : "");
    if (!this.listed.some((each) => each.id === this.id)) this.listed = [this.threads.store.get()[0], ...this.listed];
    this.draw();
  }

  // A run that has begun before is followed again: the thread has what the user said with it.
  resumed() {
    this.busy = true;
    this.draw();
  }

  refused() { this.sent = null; }

  // text: what it has said.
  async ended(end, text) {
    this.busy = false;
    this.partial = text && ["stopped", "failed", "left"].includes(end);
    if (this.closed) return;
    this.end = end;
    this.threads.remember(this.id, "", end === "interrupted" ? end : undefined);
    await this.load();
  }

  draw() {
    drawThreads(this);
    const messages = this.#messages();
    const steps = this.head ? this.branches.stepsOf(this.head) : new Map();
    const items = transcriptOf(messages, steps, this.busy ? null : this.#actions());
    if (this.sent) items.push(messageItem({ type: "human", ...this.sent }));
    if (!items.length && !this.busy && this.head) items.push(el("li", { class: "said ai" }, el("pre", {}, pretty(this.head.values))));
    if (!items.length && !this.busy) items.push(el("li", { class: "hint" }, this.problem ? this.problem.message : "This thread is new. Say something."));
    const question = this.busy || this.end === "left" ? null : this.#question();
    byId("transcript").replaceChildren(...items, ...this.#turn(), ...(question ? [question] : []));
    const log = byId("transcript");
    log.setAttribute("aria-busy", String(this.busy || this.loading));
    log.scrollTop = question ? question.offsetTop - log.offsetTop : log.scrollHeight;
    byId("panel-State")?.replaceChildren(...this.#state());
  }

  // What streams in, unless it is of another conversation.
  #turn() {
    const live = byId("live");
    if (!this.busy && !byId("stop").disabled) return [];
    live.hidden = !this.busy && !this.partial;
    return [el("li", { class: "said ai", id: "turn", hidden: live.hidden }, el("span", { class: "speaker" }, "Assistant"), live)];
  }

  // The messages before the run that is going, if one is.
  #messages() {
    const state = this.busy && this.cut ? this.branches.byId.get(this.cut) ?? this.head : this.head;
    return messagesOf(state?.values);
  }

  #state() {
    if (!this.head) return [el("p", { class: "hint" }, "The state of the thread appears here after its first run.")];
    const line = this.branches.lineOf(this.branches.headOf(this.head.checkpoint.checkpoint_id));
    return statePanel(this.head, line, (state) => this.#show(state));
  }

  #show(state) {
    Object.assign(this, { head: state, end: null, partial: false });
    this.draw();
  }

  #actions() {
    return {
      regenerate: (checkpoint) => this.send({ body: null, checkpoint }),
      edit: (checkpoint, message, text) => this.send({ text, files: message.content, checkpoint }),
      branch: (state) => { this.#show(this.branches.headOf(state.checkpoint.checkpoint_id)); },
    };
  }

  // What the thread waits for.
  #question() {
    const { head } = this;
    if (!head?.next.length || head.metadata?.source === "input") return null;
    if (!head.interrupts.length) return this.#standing();
    const questions = questionsOf(head.interrupts);
    const answer = () => {
      let resume;
      try { resume = questions.value(); } catch (error) { return this.wrong(error); }
      return this.send({ body: { resume }, checkpoint: this.checkpoint });
    };
    const form = el("form", { id: "question", noValidate: true, "aria-label": "Your answer", onsubmit: (event) => { event.preventDefault(); answer(); } },
      questions.element, el("div", { class: "row" }, el("button", { type: "submit", class: "primary", id: "answer-question" }, "Send answer")));
    return el("li", { class: "asks" }, el("strong", {}, "The run waits for your answer"), form);
  }

  // The graph has stopped in its middle, without a question.
  #standing() {
    const { head } = this;
    const failed = head.tasks.some((each) => each.error);
    return el("li", { class: "asks" },
      el("p", {}, failed ? "The last run failed at " : "The last run stopped before ", el("code", {}, [...new Set(head.next)].join(", ")), "."),
      el("div", { class: "row" }, el("button", { type: "button", id: "go-on", onclick: () => this.send({ body: null, checkpoint: this.checkpoint }) }, failed ? "Try again" : "Go on")));
  }
}

function drawThreads(conversation) {
  const { busy, listed, id, threads } = conversation;
  byId("new-thread").disabled = busy;
  byId("thread-list").replaceChildren(...listed.map((each) => el("li", { class: "row" },
    el("button", {
      type: "button", disabled: busy, class: "thread", "data-thread": each.id, "aria-current": String(each.id === id),
      onclick: () => conversation.open(each.id),
    }, el("span", { class: "words" }, each.title || each.id), el("small", {}, whenOf(each.at), each.status && each.status !== "idle" ? ` · ${each.status}` : "")),
    el("button", {
      type: "button", disabled: busy, class: "small", "aria-label": `Delete the thread ${each.title || each.id}`, title: "Delete",
      onclick: async () => {
        try {
          await threads.remove(each.id);
        } catch (error) { return conversation.wrong(error); }
        return each.id === id ? conversation.open() : conversation.load();
      },
    }, "×"))));
  byId("no-threads").hidden = listed.length > 0;
}

function whenOf(at) {
  const when = new Date(at);
  return when.toDateString() === new Date().toDateString() ? when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : when.toLocaleDateString();
}
