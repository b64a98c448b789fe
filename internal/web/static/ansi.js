// What is in a line of a log: colours of a terminal, links, more lines than fit, JSON.

/** @typedef {{text: string, marks: string, href?: string}} Part marks are classes: "a-31 a-1" */

const sequence = /\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g;
const link = /https?:\/\/[^\s"'<>`]+[^\s"'<>`.,:;!?)\]}]/g;

/** Cuts a text where its looks change. @param {string} text @returns {Part[]} */
export function parts(text) {
  /** @type {Part[]} */ const out = [];
  /** @type {Set<string>} */ let on = new Set();
  let at = 0;
  for (const m of text.matchAll(sequence)) {
    linked(text.slice(at, m.index), [...on].join(" "), out);
    at = m.index + m[0].length;
    if (m[1] !== undefined) on = turned(on, m[1]);
  }
  linked(text.slice(at), [...on].join(" "), out);
  return out;
}

/** @param {Set<string>} on @param {string} codes */
function turned(on, codes) {
  const now = new Set(on), list = codes === "" ? ["0"] : codes.split(";");
  const drop = (/** @type {RegExp} */ which) => { for (const c of now) if (which.test(c)) now.delete(c); };
  for (let i = 0; i < list.length; i++) {
    const n = Number(list[i]);
    if (n === 0) now.clear();
    else if (n === 38 || n === 48) i += list[i + 1] === "5" ? 2 : 4; // of many colours: we have sixteen
    else if ((n >= 30 && n <= 37) || (n >= 90 && n <= 97)) { drop(/^a-[39]\d$/); now.add(`a-${n}`); }
    else if (n === 39) drop(/^a-[39]\d$/);
    else if (n === 22) drop(/^a-[12]$/);
    else if (n >= 1 && n <= 4) now.add(`a-${n}`);
    else if (n === 23 || n === 24) now.delete(`a-${n - 20}`);
  }
  return now;
}

/** @param {string} text @param {string} marks @param {Part[]} out */
function linked(text, marks, out) {
  let at = 0;
  for (const m of text.matchAll(link)) {
    if (m.index > at) out.push({ text: text.slice(at, m.index), marks });
    out.push({ text: m[0], marks, href: m[0] });
    at = m.index + m[0].length;
  }
  if (at < text.length) out.push({ text: text.slice(at), marks });
}

const shown = 3; // lines of a message

/** The first lines of a text, and the others. @param {string} text @returns {{head: string, rest: string, more: number}} */
export function fold(text) {
  const lines = text.replace(/\n+$/, "").split("\n");
  if (lines.length <= shown + 1) return { head: lines.join("\n"), rest: "", more: 0 }; // not for one line
  return { head: lines.slice(0, shown).join("\n"), rest: lines.slice(shown).join("\n"), more: lines.length - shown };
}

/** A JSON object as key=value, and what stands before it; nothing if it is none.
 * @param {string} text @returns {{before: string, pairs: [string, string][], json: string}|undefined} */
export function pairs(text) {
  const from = text.indexOf("{");
  if (from < 0 || !text.trimEnd().endsWith("}") || from > 200) return undefined;
  const json = text.slice(from);
  try {
    const value = JSON.parse(json);
    return { before: text.slice(0, from), json, pairs: Object.entries(value).map(([k, v]) => /** @type {[string, string]} */ ([k, typeof v === "string" ? v : JSON.stringify(v)])) };
  } catch {
    return undefined;
  }
}
