// Every page in both colour schemes: no violation that axe knows of, nothing that
// sticks out of a narrow screen, and pictures of both in out/pages to look at.
import { looks } from "../looks.mjs";
import { expect, runNamed, test } from "../server.mjs";

/** Where pages are: the names of the pictures, and the path of each. @param {any} server */
async function pages(server) {
  const [stock, pay, room, order] = await Promise.all(["stock-check", "pay", "waits for room", "order"].map((n) => runNamed(server, n)));
  return {
    runs: "/runs", problems: "/runs?q=state:failed", none: "/runs?q=name:nothing-is-called-this", wrong: "/runs?q=bogus:1",
    run: `/runs/${stock.id}`, failed: `/runs/${pay.id}`, events: `/runs/${stock.id}?tab=history&show=events`, waiting: `/runs/${room.id}`, panel: `/runs/${pay.id}?task=0`,
    graph: `/runs/${order.id}?tab=graph`, timeline: `/runs/${stock.id}?tab=timeline`, "run-tasks": `/runs/${stock.id}?tab=tasks`,
    logs: `/runs/${(await runNamed(server, "chat")).id}?tab=logs`, data: `/runs/${order.id}?tab=data`, history: `/runs/${order.id}?tab=history`,
    task: `/runs/${pay.id}/tasks/0`, tasks: "/tasks", missing: "/nowhere",
    ...await rail(server), ...await ones(server),
  };
}

/** Pages about one thing, and forms. @param {any} server */
async function ones(server) {
  const first = async (/** @type {string} */ path) => (await server.api(path)).items[0];
  const [entry, operation, worker] = await Promise.all(["/cache", "/operations", "/workers"].map(first));
  const { id } = await runNamed(server, "waits for slots");
  return {
    diff: `/runs/${(await runNamed(server, "rate, cached")).id}/diff/${(await runNamed(server, "stock-check")).id}`,
    "tasks-counted": "/tasks?by=error&q=state:problems", found: "/search?q=st",
    limit: "/limits/scales", "limit-form": "/new/limit", "global-limit": "/global-limits/licence",
    flow: "/flows/order", start: "/flows/order/start", schedule: "/schedules/stock-nightly", "schedule-form": "/new/schedule?cron=30+2+*+*+*",
    "cache-entry": `/cache/${encodeURIComponent(entry.key)}`, explain: `/explain/cache?task=rate&args=${encodeURIComponent('["GBP"]')}`,
    operation: `/operations/${operation.id}`, worker: `/workers/${worker.id}`, audit: "/audit", confirm: `/runs/${id}/cancel`, login: "/login",
  };
}

/** What the rail leads to. @param {any} server */
async function rail(server) {
  const html = await (await fetch(`${server.url}/runs`, { headers: { Accept: "text/html" } })).text();
  const found = [...html.matchAll(/<a href="\.\/([a-z-]+)" data-key/g)].map((m) => m[1] ?? "");
  return Object.fromEntries(found.map((path) => [path, `/${path}`]));
}

/** Loads a page, and waits for what draws itself. @param {import("@playwright/test").Page} page @param {string} url */
async function load(page, url) {
  await page.goto(url);
  await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
  const islands = page.locator("run-graph, run-timeline, log-view");
  for (let i = await islands.count(); i > 0; i--) await expect(islands.nth(i - 1)).toHaveAttribute("data-drawn");
}

test("every page is accessible and looks right, light and dark, wide and narrow", async ({ browser, server }) => {
  test.setTimeout(400_000);
  const context = await browser.newContext({ colorScheme: "light", reducedMotion: "reduce", viewport: { width: 1280, height: 850 } });
  const page = await context.newPage();
  const found = /** @type {string[]} */ ([]);
  for (const [name, path] of Object.entries(await pages(server))) {
    await load(page, server.url + path);
    found.push(...await looks(page, name));
  }
  await context.close();
  expect(found).toEqual([]);
});
