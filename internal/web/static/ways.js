// What of a graph comes before and after what, and which node lies beside which.

/** @typedef {{id: string, in?: string, x: number, y: number, w: number, h: number}} Place */
/** @typedef {{from: string, to: string, repeat?: boolean}} Way */

/** The ways of a graph, both directions. @param {Way[]} edges */
export function ways(edges) {
  /** @type {Map<string, string[]>} */ const next = new Map();
  /** @type {Map<string, string[]>} */ const prev = new Map();
  const put = (/** @type {Map<string, string[]>} */ map, /** @type {string} */ key, /** @type {string} */ value) => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [value]);
    else list.push(value);
  };
  for (const e of edges) {
    if (e.repeat) continue;
    put(next, e.from, e.to);
    put(prev, e.to, e.from);
  }
  return { next, prev };
}

/** All that can be reached from a node, itself too.
 * @param {Map<string, string[]>} way @param {string} from @returns {Set<string>} */
export function reach(way, from) {
  const seen = new Set([from]);
  for (const id of seen) for (const to of way.get(id) ?? []) seen.add(to); // a set goes on with what is added to it
  return seen;
}

/** What is lit if one looks at a node: all before it, all after it, and what they stand in.
 * @param {Place[]} nodes @param {Way[]} edges @param {string} id */
export function lit(nodes, edges, id) {
  const parents = new Map(nodes.map((n) => [n.id, n.in ?? ""]));
  const { next, prev } = ways(edges);
  const found = new Set([id]);
  // Edges are between siblings, so what one stands in has its own.
  for (let at = id; at !== ""; at = parents.get(at) ?? "") {
    for (const other of [...reach(next, at), ...reach(prev, at)]) found.add(other);
  }
  for (const n of nodes) { // what stands in one that is lit, unless that only holds the node itself
    const host = n.in ?? "";
    if (host !== "" && found.has(host) && !within(parents, id, host)) found.add(n.id);
  }
  return found;
}

/** @param {Map<string, string>} parents @param {string} id @param {string} host */
function within(parents, id, host) {
  for (let at = id; at !== ""; at = parents.get(at) ?? "") if (at === host) return true;
  return false;
}

/** The edges of a chain: those between each node and the next one that it has an edge to.
 * @param {Way[]} edges @param {string[]} chain */
export function chained(edges, chain) {
  const at = new Map(chain.map((id, i) => [id, i]));
  return edges.filter((e) => {
    const from = at.get(e.from), to = at.get(e.to);
    return !e.repeat && from !== undefined && to !== undefined && from < to;
  });
}

/** The node that an arrow key leads to: the nearest in that direction, where what lies
 * straight ahead counts as nearer.
 * @template {Place} P @param {P[]} nodes @param {P} from @param {string} key
 * @returns {P|undefined} */
export function neighbour(nodes, from, key) {
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  const cx = from.x + from.w / 2, cy = from.y + 18;
  /** @type {P|undefined} */ let best;
  let least = Infinity;
  for (const n of nodes) {
    if (n === from) continue;
    const dx = n.x + n.w / 2 - cx, dy = n.y + 18 - cy;
    const ahead = sign * (sideways ? dx : dy), aside = Math.abs(sideways ? dy : dx);
    if (ahead <= 4) continue;
    const cost = ahead + 3 * aside;
    if (cost < least) { least = cost; best = n; }
  }
  return best;
}
