// The threads of a route: those that its server lists, and those that this browser has begun.

import { textOf } from "./messages.js";
import { errorOf } from "./stream.js";

const MOST_STATES = 100;
const MOST_KEPT = 30;
const MOST_TITLES = 10;

export class Threads {
  // url: of the trace that has the threads; headers: returns those of a request; store: {get, set}.
  constructor(url, headers, store) {
    this.url = url;
    this.headers = headers;
    this.store = store;
    this.titles = new Map();
  }

  // Returns the threads, newest first: {id, title, at, status}.
  async list() {
    const kept = new Map(this.store.get().map((each) => [each.id, each]));
    const { threads } = await this.#request("GET", "/threads?limit=50");
    const listed = threads.map((each) => ({
      id: each.thread_id, title: each.metadata.title, at: Date.parse(each.updated_at), status: each.status,
      ...(kept.get(each.thread_id)?.title ? { title: kept.get(each.thread_id).title } : {}),
    }));
    await Promise.all(listed.filter((each) => !each.title).slice(0, MOST_TITLES).map(async (each) => { each.title = await this.#titleOf(each.id); }));
    const ids = new Set(listed.map((each) => each.id));
    return [...listed, ...this.store.get().filter((each) => !ids.has(each.id))].sort((one, other) => other.at - one.at);
  }

  // Returns the newest states of a thread, and whether these are all.
  async states(id) {
    try {
      const { states } = await this.#request("GET", `/threads/${encodeURIComponent(id)}/history?limit=${MOST_STATES}`);
      return { states, whole: states.length < MOST_STATES };
    } catch (error) {
      if (error.status === 404) return { states: [], whole: true };
      throw error;
    }
  }

  async remove(id) {
    try {
      await this.#request("DELETE", `/threads/${encodeURIComponent(id)}`);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
    this.store.set(this.store.get().filter((each) => each.id !== id));
  }

  remember(id, title, status) {
    const rest = this.store.get().filter((each) => each.id !== id);
    const before = this.store.get().find((each) => each.id === id);
    this.store.set([{ id, title: before?.title || title, at: Date.now(), status }, ...rest].slice(0, MOST_KEPT));
  }

  // Returns how a thread begins that another client has begun.
  async #titleOf(id) {
    if (!this.titles.has(id)) {
      const { messages } = await this.#request("GET", `/threads/${encodeURIComponent(id)}/messages`).catch(() => ({ messages: [] }));
      const first = messages.find((each) => each.type === "human");
      if (!first) return undefined;
      this.titles.set(id, textOf(first.content).slice(0, 80));
    }
    return this.titles.get(id);
  }

  async #request(method, path) {
    const headers = { Accept: "application/json", ...this.headers() };
    const response = await fetch(this.url() + path, { method, headers });
    if (!response.ok) throw await errorOf(response);
    return response.status === 204 ? null : response.json();
  }
}
