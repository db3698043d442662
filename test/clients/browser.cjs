// Headless Chromium, driven by playwright-core.
// usage: browser.cjs PROXY KEY_HASH PAGE_URL PROFILE_FOLDER
// Loads the page, waits until its script has set window.result, prints that as JSON.
'use strict';
const { chromium } = require('playwright-core');

const [proxy, keyHash, url, profile] = process.argv.slice(2);
const DEADLINE_MS = 60000;

// These keep most of the calls home from being made; the test keeps the rest from going anywhere.
const FLAGS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage',
    `--proxy-server=http://${proxy}`,
    '--proxy-bypass-list=<-loopback>', // localhost through the proxy too
    `--ignore-certificate-errors-spki-list=${keyHash}`,
    '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--disable-default-apps', '--disable-domain-reliability',
];

async function main() {
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium', headless: true, args: FLAGS, timeout: DEADLINE_MS,
    });
    try {
        const page = context.pages()[0];
        page.on('console', (message) => console.error('console:', message.text()));
        page.on('requestfailed', (request) =>
            console.error('failed:', request.url(), request.failure().errorText));
        await page.goto(url, { timeout: DEADLINE_MS });
        await page.waitForFunction(() => window.result, null, { timeout: DEADLINE_MS });
        console.log(JSON.stringify(await page.evaluate(() => window.result)));
    } finally {
        await context.close();
    }
}

main().catch((error) => {
    console.error(error.stack);
    process.exitCode = 1;
});
