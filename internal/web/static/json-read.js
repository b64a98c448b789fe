// Reads JSON as it is written: numbers keep all their digits.

/** @typedef {{kind: "object", entries: [string, Value][]}|{kind: "array", items: Value[]}|{kind: "string", text: string}|{kind: "plain", text: string}} Value */

const word = /\s*(?:([{}[\]:,])|("(?:[^"\\\u0000-\u001f]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null))/y;

/** @param {string} text @returns {Value} an error if it is no JSON */
export function read(text) {
  let at = 0;
  /** @returns {RegExpExecArray} */
  const next = () => {
    word.lastIndex = at;
    const m = word.exec(text);
    if (m === null) throw new SyntaxError(`no JSON at ${at}`);
    at = word.lastIndex;
    return m;
  };
  /** @param {RegExpExecArray} m @returns {Value} */
  const value = (m) => {
    if (m[2] !== undefined) return { kind: "string", text: /** @type {string} */ (JSON.parse(m[2])) };
    if (m[3] !== undefined) return { kind: "plain", text: m[3] };
    if (m[1] === "[") return { kind: "array", items: list("]", value) };
    if (m[1] !== "{") throw new SyntaxError(`no JSON at ${at}`);
    const entries = list("}", (key) => {
      if (key[2] === undefined || next()[1] !== ":") throw new SyntaxError(`no JSON at ${at}`);
      return /** @type {[string, Value]} */ ([/** @type {string} */ (JSON.parse(key[2])), value(next())]);
    });
    return { kind: "object", entries: entries.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)) };
  };
  /** @template T @param {string} end @param {(m: RegExpExecArray) => T} one @returns {T[]} */
  const list = (end, one) => {
    /** @type {T[]} */ const all = [];
    for (let m = next(); m[1] !== end; m = next()) {
      if (all.length > 0) { if (m[1] !== ",") throw new SyntaxError(`no JSON at ${at}`); m = next(); }
      all.push(one(m));
    }
    return all;
  };
  const out = value(next());
  if (text.slice(at).trim() !== "") throw new SyntaxError(`more than one JSON value at ${at}`);
  return out;
}

/** A value as it is written, in one line. @param {Value} v @returns {string} */
export function write(v) {
  switch (v.kind) {
    case "object": return `{${v.entries.map(([k, e]) => `${JSON.stringify(k)}:${write(e)}`).join(",")}}`;
    case "array": return `[${v.items.map(write).join(",")}]`;
    case "string": return JSON.stringify(v.text);
    default: return v.text;
  }
}

/** The way to a value, as jq has it. @param {(string|number)[]} way */
export const path = (way) => way.map((p) => (typeof p === "number" ? `[${p}]` : /^[A-Za-z_]\w*$/.test(p) ? `.${p}` : `[${JSON.stringify(p)}]`)).join("") || ".";

/** Whether a key or a value within has a text. @param {Value} v @param {string} what in small letters @returns {boolean} */
export function has(v, what) {
  switch (v.kind) {
    case "object": return v.entries.some(([k, e]) => k.toLowerCase().includes(what) || has(e, what));
    case "array": return v.items.some((e) => has(e, what));
    default: return v.text.toLowerCase().includes(what);
  }
}
