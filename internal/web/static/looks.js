// How states look: a word, a glyph, a colour of the style sheet, and which of several
// one has to see.

/** The states, those that somebody has to look at first. @type {[string, string][]} */
const all = [["failed", "✗"], ["crashed", "☇"], ["cancelling", "◐"], ["running", "▶"], ["retrying", "↻"], ["paused", "‖"], ["scheduled", "◷"],
  ["pending", "○"], ["planned", "·"], ["cancelled", "⊘"], ["skipped", "⇥"], ["completed", "✓"], ["cached", "◈"], ["unknown", "?"]];

const glyphs = new Map(all);

/** In which order states are listed. @param {string} state */
export const urgency = (state) => { const i = all.findIndex(([name]) => name === state); return i < 0 ? all.length : i; };

/** @param {string} state */
export const glyph = (state) => glyphs.get(state) ?? "?";

/** The variable of the style sheet that has a state's colour. @param {string} state */
export const colourOf = (state) => (state === "planned" || state === "unknown" ? "pending" : state);

/** What the API calls a state of a task run, as one of ours. @type {Record<string, string>} */
const finer = {
  AwaitingRetry: "retrying", Retrying: "running", TimedOut: "failed", Cached: "cached", Aborted: "cancelled", NotReady: "skipped",
};

/** @param {string} name as of the API: "AwaitingRetry", "Completed" */
export function stateOf(name) {
  const known = finer[name];
  if (known !== undefined) return known;
  const word = name.toLowerCase();
  return glyphs.has(word) ? word : "unknown";
}

/** Whether more will come of it. @param {string} state */
export const open = (state) => ["cancelling", "running", "retrying", "paused", "scheduled", "pending", "planned"].includes(state);

/** Whether somebody should look at it. @param {string} state */
export const bad = (state) => state === "failed" || state === "crashed";

/** Kinds of waiting as words. @type {Record<string, string>} */
const waits = {
  worker: "waits for a worker", queue: "nobody serves its queue", slots: "waits for a slot", paused: "its run is paused", backoff: "waits to be tried again",
  scheduled: "waits for its time", answer: "waits for an answer", task_id: "waits for its turn", cache: "waits for the same work elsewhere",
  limit: "waits for a limit", dependencies: "waits for others", cancelling: "is being cancelled", store: "is being stored",
  parallelism: "waits for its group", room: "waits for room",
};

/** @param {string} kind */
export const waiting = (kind) => waits[kind] ?? (kind === "" ? "" : `waits: ${kind}`);
