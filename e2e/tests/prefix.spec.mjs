import { expect, start, test } from "../server.mjs";

test("all works below a prefix", async ({ page }) => {
  const server = await start(["dev", "--listen", "127.0.0.1:0", "--prefix", "/x/y", "--seed", "zoo"]);
  try {
    expect(server.url).toMatch(/\/x\/y$/);
    const missing = /** @type {string[]} */ ([]);
    page.on("response", (r) => { if (r.status() >= 400 && r.url().startsWith(new URL(server.url).origin)) missing.push(`${r.status()} ${r.url()}`); });
    await page.goto(`${server.url}/`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Runs");
    await expect(page.getByRole("button", { name: "live" })).toBeVisible();
    await page.locator("#runs").getByRole("link", { name: "pay", exact: true }).click();
    await page.getByRole("link", { name: "Graph" }).click();
    await expect(page.locator("run-graph")).toBeVisible();
    await page.getByRole("link", { name: "Timeline" }).click();
    await expect(page.locator("run-timeline")).toBeVisible();
    expect(missing).toEqual([]);
  } finally {
    await server.stop();
  }
});
