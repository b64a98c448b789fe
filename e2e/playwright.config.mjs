import { defineConfig } from "@playwright/test";

// Debian's Chromium: Playwright's own can't be downloaded everywhere.
export default defineConfig({
  testDir: "tests",
  outputDir: "out/results",
  workers: 1, // two cores, and the server needs one
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  retries: 0,
  reporter: [["list"], ["./reporter.mjs"]],
  use: {
    viewport: { width: 1280, height: 850 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
    },
  },
});
