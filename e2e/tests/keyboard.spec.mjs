import { expect, test } from "../server.mjs";

test("a failed task is found, opened and retried without a mouse", async ({ page, server }) => {
  await page.goto(`${server.url}/tasks`);
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Runs");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("state:failed name:retried");
  await page.keyboard.press("Enter");
  await expect(page.locator("#runs tbody tr")).toHaveCount(1);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("retried");
  await page.keyboard.press("4");
  await expect(page).toHaveURL(/tab=tasks/);
  await page.keyboard.press("1");
  await expect(page).not.toHaveURL(/tab=/);
  const retry = page.getByRole("main").getByRole("link", { name: "Retry", exact: true }).first();
  for (let i = 0; i < 60 && !(await retry.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press("Tab");
  await expect(retry).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog").getByLabel("Reason")).toBeFocused();
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("status")).toContainText("retried");
});

test("Ctrl-K finds pages, tasks, limits, schedules and runs by their names", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  const options = page.getByRole("listbox").getByRole("option");
  for (const [typed, option, heading] of [["scal", "scales limit", "scales"], ["stock-n", "stock-nightly schedule", "stock-nightly"], ["appro", "approve task", "approve"], ["metr", "Metrics page", "Metrics"]]) {
    await page.keyboard.press("Control+k");
    await page.keyboard.type(/** @type {string} */ (typed));
    await expect(options.filter({ hasText: option })).toBeVisible();
    while (!(await options.filter({ hasText: option }).getAttribute("aria-selected"))?.includes("true")) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/** @type {string} */ (heading));
  }
});

test("a filter is completed by fields, and by names that there are", async ({ page, server }) => {
  await page.goto(`${server.url}/tasks`);
  const box = page.getByLabel("Filter task runs"), options = page.getByRole("listbox").getByRole("option");
  await box.focus();
  await page.keyboard.type("é -ta");
  await expect(options).toHaveText([/^task: the name of a task/, /^tag: a tag/]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(box).toHaveValue("é -task:");
  await page.keyboard.type("chat,stock_l");
  await expect(options).toHaveText(["stock_list"]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(box).toHaveValue("é -task:chat,stock_list ");
});

test("Space peeks at a row, and leaves the list as it is", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=${encodeURIComponent("state:failed name:pay")}`);
  await page.keyboard.press("j");
  await page.keyboard.press(" ");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("heading", { level: 2 }).first()).toContainText("pay");
  await expect(dialog).toContainText("connection refused");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(page).toHaveURL(/q=state/);
  await page.keyboard.press(" ");
  await page.keyboard.press("Enter"); // opens it
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("pay");
});

test("what is behind a row's link is shown while the mouse rests on it, or the keyboard is there", async ({ page, server }) => {
  await page.goto(`${server.url}/runs?q=${encodeURIComponent("state:failed name:pay")}`);
  const link = page.locator("#runs").getByRole("link", { name: "pay", exact: true }), tip = page.getByRole("tooltip");
  await link.hover();
  await expect(tip).toContainText("card 1234: connection refused");
  await expect(link).toHaveAttribute("aria-describedby", "glance");
  await expect(tip).toBeInViewport({ ratio: 1 });
  await tip.hover(); // it stays while one reads it
  await expect(tip).toBeVisible();
  await expect(tip.getByRole("link")).toHaveCount(0);
  await page.getByRole("heading", { level: 1 }).hover();
  await expect(tip).toBeHidden();
  await page.keyboard.press("j");
  await expect(tip).toContainText("connection refused");
  await page.keyboard.press("Escape");
  await expect(tip).toBeHidden();
  await expect(link).toBeFocused();
});

test("? lists the keys, and Escape closes that", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("the first stop of the tabulator skips to the content", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
});
