// Creates elements. Strings become text, never HTML.

export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

export const uuid = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(16).slice(2)}`;

let count = 0;
export const newId = (name) => `${name}-${++count}`;

export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
}

export function grow(control) {
  if (control.tagName === "TEXTAREA") {
    control.rows = Math.min(14, Math.max(2, control.value.split("\n").length));
  }
}

export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // The Clipboard API needs HTTPS.
    const area = el("textarea", { value: text, class: "offscreen" });
    document.body.append(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
    area.remove();
  }
  setTimeout(() => (button.textContent = before), 1500);
}

export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "small", onclick: () => copy(text(), button) }, label);
  return button;
}
