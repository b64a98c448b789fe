// The real binary with an in-memory store, one for each file of tests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test as base } from "@playwright/test";

export { expect } from "@playwright/test";

const binary = process.env.RUNNEL;
if (!binary) throw new Error("RUNNEL is not set: run `make e2e`, which builds the binary and says where it is");

/**
 * A server that runs.
 * @typedef {{url: string, api: (path: string, init?: RequestInit) => Promise<any>, stop: () => Promise<void>}} Server
 */

/**
 * Starts one and waits until it is ready.
 * @param {string[]} args of the command line
 * @param {{ready?: RegExp, token?: string, url?: RegExp}} [o] what it prints once it is ready, and the token to ask it with
 * @returns {Promise<Server>}
 */
export async function start(args, { ready = /^seeded/, token = "", url: says = /^pages: (\S+)/ } = {}) {
  const child = spawn(/** @type {string} */ (binary), args, { stdio: ["ignore", "pipe", "pipe"] });
  let url = "";
  const said = /** @type {string[]} */ ([]);
  await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        if (said.length < 200) said.push(line);
        url = says.exec(line)?.[1] ?? url;
        if (url !== "" && said.some((l) => ready.test(l))) resolve(undefined);
      });
    }
    child.once("exit", (code) => reject(new Error(`runnel ${args.join(" ")} ended with ${code}:\n${said.join("\n")}`)));
    child.once("error", reject);
  });
  url = url.replace(/\/$/, "");
  return {
    url,
    async api(path, init) {
      const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }), ...init?.headers };
      const answer = await fetch(`${url}/api/v1${path}`, { ...init, headers });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${init?.method ?? "GET"} ${path}: ${answer.status} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Tests on a server with a run in every state. */
export const test = base.extend(/** @type {any} */ ({
  server: [async (/** @type {object} */ {}, /** @type {(s: Server) => Promise<void>} */ use) => {
    const s = await start(["dev", "--listen", "127.0.0.1:0", "--seed", "zoo"]);
    await use(s);
    await s.stop();
  }, { scope: "worker", timeout: 60_000 }],
  // Errors on the page are errors of the test.
  page: async (/** @type {any} */ { page }, /** @type {any} */ use) => {
    const errors = /** @type {string[]} */ ([]);
    // What the browser says of its own transition to a page that was left at once is none.
    page.on("pageerror", (/** @type {Error} */ e) => { if (!/^(InvalidState|Abort)Error: Transition was /.test(String(e))) errors.push(String(e)); });
    page.on("console", (/** @type {any} */ m) => { if (m.type() === "error" && !/Failed to load resource/.test(m.text())) errors.push(m.text()); });
    await use(page);
    if (errors.length > 0) throw new Error(`the page had errors:\n${errors.join("\n")}`);
  },
}));

/** The run of a name, the newest. @param {Server} server @param {string} name */
export async function runNamed(server, name) {
  const { items } = await server.api("/runs?limit=500");
  const found = items.find((/** @type {{name: string}} */ r) => r.name === name);
  if (!found) throw new Error(`no run is named ${name}`);
  return found;
}
