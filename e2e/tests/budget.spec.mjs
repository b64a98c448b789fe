// What a run of 100,000 tasks may cost. The numbers are printed: look at them.
import { gzipSync } from "node:zlib";
import { expect, start, test } from "../server.mjs";

test("the page of a run of 100,000 tasks keeps its budgets", async ({ page }) => {
  test.setTimeout(180_000);
  const server = await start(["dev", "--listen", "127.0.0.1:0", "--seed", "fanout:100000"]);
  try {
    const { items } = await server.api("/runs?limit=1");
    const url = `${server.url}/runs/${items[0].id}`;
    const sizes = { js: 0, css: 0 };
    const seen = new Set();
    page.on("response", async (r) => {
      const kind = /\.(js|css)$/.exec(new URL(r.url()).pathname)?.[1];
      if (!kind || seen.has(r.url())) return;
      seen.add(r.url());
      sizes[/** @type {"js"|"css"} */ (kind)] += gzipSync(await r.body()).length;
    });
    await page.goto(`${server.url}/runs`); // the static files are there
    const began = Date.now();
    await page.goto(url);
    await expect(page.getByRole("heading", { name: "By task name" })).toBeVisible();
    const interactive = Date.now() - began;
    for (const tab of ["graph", "timeline", "logs"]) {
      await page.goto(`${url}?tab=${tab}`);
      await page.waitForLoadState("networkidle").catch(() => {});
    }
    await page.goto(`${url}?tab=timeline`);
    const view = page.locator("run-timeline");
    await expect(view.locator("canvas").first()).toBeVisible();
    await page.waitForLoadState("networkidle").catch(() => {});
    // Zooming draws a frame for each turn of the wheel; how long each keeps the page busy.
    const canvas = view.locator("canvas").last();
    const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await canvas.boundingBox());
    await page.evaluate(() => {
      const times = /** @type {number[]} */ ([]), original = requestAnimationFrame.bind(window);
      Object.assign(window, { times });
      window.requestAnimationFrame = (draw) => original((t) => { const b = performance.now(); draw(t); times.push(performance.now() - b); });
    });
    await page.mouse.move(box.x + box.width / 2, box.y + Math.min(box.height, 400) / 2);
    await page.keyboard.down("Control");
    for (let i = 0; i < 40; i++) await page.mouse.wheel(0, i % 2 ? 120 : -120);
    await page.keyboard.up("Control");
    await expect.poll(() => page.evaluate(() => /** @type {any} */ (window).times.length)).toBeGreaterThan(10);
    const times = /** @type {number[]} */ (await page.evaluate(() => /** @type {any} */ (window).times)).sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)] ?? Infinity;
    const client = await page.context().newCDPSession(page);
    await client.send("HeapProfiler.collectGarbage");
    const { usedSize: used, backingStorageSize: stored = 0 } = /** @type {any} */ (await client.send("Runtime.getHeapUsage"));
    const usedSize = used + stored; // with the arrays of numbers
    console.log(`100,000 tasks: interactive after ${interactive} ms (2000), timeline frame ${median.toFixed(1)} ms median of ${times.length} (33), ` +
      `heap ${(usedSize / 1e6).toFixed(0)} MB (150), JavaScript ${(sizes.js / 1024).toFixed(1)} KB (60), CSS ${(sizes.css / 1024).toFixed(1)} KB (12) gzipped`);
    expect(usedSize).toBeLessThan(150e6);
    expect(sizes.js).toBeLessThan(60 * 1024);
    expect(sizes.css).toBeLessThan(12 * 1024);
    expect(sizes.js).toBeGreaterThan(10 * 1024);
  } finally {
    await server.stop();
  }
});
