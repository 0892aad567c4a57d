// Values in the browser's storage, apart for each app.

// The path of the app that serves this page, wherever the app is mounted.
export const BASE = location.pathname.replace(/\/+$/, "").replace(/\/playground$/, "");
const KEY = `asgi_stream ${BASE}`;

export function kept(name, other) {
  try { return JSON.parse(localStorage.getItem(`${KEY} ${name}`)) ?? other; } catch { return other; }
}

export function keep(name, value) {
  try { localStorage.setItem(`${KEY} ${name}`, JSON.stringify(value)); } catch { /* full, or blocked */ }
}

// Of this tab only.
export const secret = {
  get: () => { try { return JSON.parse(sessionStorage.getItem(KEY)) ?? {}; } catch { return {}; } },
  set: (value) => { try { sessionStorage.setItem(KEY, JSON.stringify(value)); } catch { /* blocked */ } },
};
