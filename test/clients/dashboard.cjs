// Headless Chromium on the admin page, led line by line.
// usage: dashboard.cjs URL WIDTH HEIGHT light|dark PROFILE_FOLDER
// Each line of standard input is a JSON string: the body of an async function of `page`, `seen` and
// `axe`. What it returns is printed as {"value": …}, what it throws as {"error": "…"}. `seen` is all
// that a person would not see: errors, requests, violations of the page's policy.
'use strict';
const readline = require('readline');
const { chromium } = require('playwright-core');

const [url, width, height, colorScheme, profile] = process.argv.slice(2);
const DEADLINE_MS = 60000;
const FLAGS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-proxy-server',
    '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--disable-default-apps', '--disable-domain-reliability',
];
const AXE = require('fs').readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const seen = { console: [], requests: [], violations: [] };

async function watch(page) {
    page.setDefaultTimeout(DEADLINE_MS);
    page.on('console', (message) => ['error', 'warning'].includes(message.type())
        && seen.console.push(message.text()));
    page.on('pageerror', (error) => seen.console.push(error.stack));
    page.on('request', (request) => seen.requests.push(request.url()));
    await page.exposeFunction('reportViolation', (what) => seen.violations.push(what));
    await page.addInitScript(() => document.addEventListener('securitypolicyviolation',
        (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`)));
}

// The faults that count: serious and critical ones, as text. evaluate() is not subject to the policy.
async function axe(page) {
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    if (passes.length < 10)
        throw new Error(`axe looked at ${passes.length} things only`);
    return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes[0].html}: ${nodes[0].failureSummary}`);
}

const AsyncFunction = (async () => {}).constructor;

async function main() {
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium', headless: true, args: FLAGS, timeout: DEADLINE_MS,
        viewport: { width: Number(width), height: Number(height) }, colorScheme,
    });
    try {
        const page = context.pages()[0];
        await watch(page);
        await page.goto(url, { timeout: DEADLINE_MS });
        console.log('{"value": "ready"}');
        for await (const line of readline.createInterface({ input: process.stdin })) {
            try {
                const value = await new AsyncFunction('page', 'seen', 'axe', JSON.parse(line))(page, seen, axe);
                console.log(JSON.stringify({ value: value ?? null }));
            } catch (error) {
                console.log(JSON.stringify({ error: error.stack }));
            }
        }
    } finally {
        await context.close();
    }
}

main().catch((error) => {
    console.error(error.stack);
    process.exitCode = 1;
});
