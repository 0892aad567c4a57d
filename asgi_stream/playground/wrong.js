// A form's value is read strictly, to be sent, or as far as it is valid.

export class Wrong extends Error {}

let lenient = false;

// Returns the form's current value, without missing or invalid fields.
export function soFar(form) {
  lenient = true;
  try { return form.value(); } finally { lenient = false; }
}

export function refused(message) {
  if (!lenient) throw new Wrong(message);
}
