// The branches of a thread. Its states are those of LangGraph's API, newest first.

const idOf = (checkpoint) => checkpoint?.checkpoint_id;

// Returns the messages in a state's values: `messages`, or else the only list of them.
export function messagesOf(values) {
  const isList = (each) => Array.isArray(each) && each.every((one) => typeof one?.type === "string" && "content" in one);
  if (isList(values)) return values;
  if (Array.isArray(values?.messages)) return values.messages;
  const lists = Object.values(values ?? {}).filter((each) => isList(each) && each.length);
  return lists.length === 1 ? lists[0] : [];
}

export class Branches {
  // states: the newest states; whole: whether the thread has no others.
  constructor(states, whole) {
    this.states = states;
    this.whole = whole;
    this.byId = new Map(states.map((each) => [idOf(each.checkpoint), each]));
    this.children = new Map();
    for (const state of [...states].reverse()) {
      const parent = idOf(state.parent_checkpoint) ?? "";
      this.children.set(parent, [...(this.children.get(parent) ?? []), state]);
    }
  }

  get newest() { return this.states[0]; }

  // Returns the newest state of the branch that a checkpoint is on.
  headOf(id) {
    let state = this.byId.get(id) ?? this.newest;
    for (let next; (next = this.children.get(idOf(state?.checkpoint))?.at(-1)); ) state = next;
    return state;
  }

  // Returns the states from the first to `head`.
  lineOf(head) {
    const line = [];
    for (let state = head; state; state = this.byId.get(idOf(state.parent_checkpoint))) line.unshift(state);
    return line;
  }

  // Returns, by the ids of messages, what one can do at each on the branch of `head`:
  // {again: the checkpoint at which the graph can answer it again, before: the one without it,
  // alternatives: the first state of each branch that begins with it, at: which one is shown}.
  stepsOf(head) {
    const steps = new Map();
    const line = this.lineOf(head);
    const known = new Set();
    let choice = null;
    line.forEach((state, n) => {
      const siblings = this.children.get(idOf(state.parent_checkpoint) ?? "") ?? [];
      if (siblings.length > 1) choice = { alternatives: siblings, at: siblings.indexOf(state) };
      const messages = messagesOf(state.values);
      const fresh = messages.filter((each) => each.id && !known.has(each.id));
      fresh.forEach((each) => known.add(each.id));
      const cut = n === 0 && !this.whole; // older states are not here
      fresh.forEach((message, at) => {
        const last = at === fresh.length - 1 && message === messages.at(-1);
        steps.set(message.id, {
          again: last && state.next.length && !cut ? idOf(state.checkpoint) : null,
          before: at === 0 && !cut ? idOf(state.parent_checkpoint) ?? null : null,
          ...(at === 0 && choice ? choice : {}),
        });
      });
      if (fresh.length) choice = null;
    });
    if (choice && known.size) Object.assign(steps.get([...known].at(-1)), choice);
    return steps;
  }
}
