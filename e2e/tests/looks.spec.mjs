// Every page in both colour schemes: no violation that axe knows of, nothing that
// sticks out of a narrow screen, and a screenshot in out/pages to look at.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect, runNamed, test } from "../server.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = new URL("../out/pages/", import.meta.url).pathname;
await mkdir(shots, { recursive: true });

/** Where pages are: the names of the pictures, and the path of each. @param {any} server */
async function pages(server) {
  const [stock, pay, room, order] = await Promise.all(["stock-check", "pay", "waits for room", "order"].map((n) => runNamed(server, n)));
  return {
    runs: "/runs", problems: "/runs?q=state:failed", none: "/runs?q=name:nothing-is-called-this", wrong: "/runs?q=bogus:1",
    run: `/runs/${stock.id}`, failed: `/runs/${pay.id}`, waiting: `/runs/${room.id}`, panel: `/runs/${pay.id}?task=0`,
    graph: `/runs/${order.id}?tab=graph`, timeline: `/runs/${stock.id}?tab=timeline`, "run-tasks": `/runs/${stock.id}?tab=tasks`,
    logs: `/runs/${(await runNamed(server, "chat")).id}?tab=logs`, data: `/runs/${order.id}?tab=data`, history: `/runs/${order.id}?tab=history`,
    task: `/runs/${pay.id}/tasks/0`, tasks: "/tasks", missing: "/nowhere",
    ...await rail(server),
  };
}

/** What the rail leads to. @param {any} server */
async function rail(server) {
  const html = await (await fetch(`${server.url}/runs`, { headers: { Accept: "text/html" } })).text();
  const found = [...html.matchAll(/<a href="\.\/([a-z-]+)" data-key/g)].map((m) => m[1] ?? "");
  return Object.fromEntries(found.map((path) => [path, `/${path}`]));
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`every page is accessible and looks right, ${colorScheme}`, async ({ browser, server }) => {
    test.setTimeout(240_000);
    const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
    const page = await context.newPage();
    const found = /** @type {string[]} */ ([]);
    for (const [name, path] of Object.entries(await pages(server))) {
      await page.setViewportSize({ width: 1280, height: 850 });
      await page.goto(server.url + path);
      await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
      if (await page.locator("run-graph, run-timeline, log-view").count()) await page.waitForLoadState("networkidle").catch(() => {});
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
      for (const v of violations) found.push(`${name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 2).map((/** @type {any} */ n) => n.html).join(" ")}`);
      await page.screenshot({ path: `${shots}${name}-${colorScheme}.png` });
      if (colorScheme === "light") {
        await page.setViewportSize({ width: 320, height: 640 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > 320) found.push(`${name}: ${wide} px wide on a screen of 320`);
        await page.screenshot({ path: `${shots}${name}-narrow.png` });
      }
    }
    await context.close();
    expect(found).toEqual([]);
  });
}
