// Headless Chromium through a proxy that asks for a password.
// usage: auth_browser.cjs PROXY KEY_HASH PAGE_URL PROFILE_FOLDER [USER PASSWORD]
// Chromium asks without credentials, is challenged, and asks whoever drives it, as it would show its
// dialog to a person; playwright answers over CDP. Prints the page's text, or the error, as JSON.
'use strict';
const { chromium } = require('playwright-core');

const [proxy, keyHash, url, profile, username, password] = process.argv.slice(2);
const DEADLINE_MS = 60000;

async function main() {
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium', headless: true, timeout: DEADLINE_MS,
        proxy: { server: `http://${proxy}`, bypass: '<-loopback>', username, password },
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage',
            `--ignore-certificate-errors-spki-list=${keyHash}`, '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    try {
        const page = context.pages()[0];
        const answer = await page.goto(url, { timeout: DEADLINE_MS })
            .catch((error) => ({ error: error.message }));
        if (answer.error) {
            console.log(JSON.stringify({ error: answer.error.match(/net::\w+/)[0] }));
        } else {
            console.log(JSON.stringify({ text: await answer.text() }));
        }
    } finally {
        await context.close();
    }
}

main().catch((error) => {
    console.error(error.stack);
    process.exitCode = 1;
});
