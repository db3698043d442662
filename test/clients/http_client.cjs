// Node's clients. usage: http_client.cjs undici|https-proxy-agent PROXY CA GET|PUT URL FILE
// GET writes the body to FILE; PUT sends FILE and prints the answer.
'use strict';
const fs = require('node:fs');
const https = require('node:https');
const { ProxyAgent, request } = require('undici');
const { HttpsProxyAgent } = require('https-proxy-agent');

const [kind, proxy, ca, method, url, file] = process.argv.slice(2);
const trusted = fs.readFileSync(ca);
const body = method === 'PUT' ? fs.readFileSync(file) : null;

async function withUndici() {
    const dispatcher = new ProxyAgent({
        uri: `http://${proxy}`, requestTls: { ca: trusted },
    });
    const answer = await request(url, { method, body, dispatcher });
    const data = Buffer.from(await answer.body.arrayBuffer());
    await dispatcher.close();
    return [answer.statusCode, data];
}

function withProxyAgent() {
    const agent = new HttpsProxyAgent(`http://${proxy}`);
    return new Promise((resolve, reject) => {
        const call = https.request(url, { method, agent, ca: trusted }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('error', reject);
            answer.on('end', () => resolve([answer.statusCode, Buffer.concat(parts)]));
        });
        call.on('error', reject);
        call.end(body);
    });
}

(kind === 'undici' ? withUndici() : withProxyAgent()).then(([status, data]) => {
    if (status !== 200) {
        throw new Error(`the origin answered ${status}`);
    }
    if (method === 'GET') {
        fs.writeFileSync(file, data);
    } else {
        process.stdout.write(data);
    }
}).catch((error) => {
    console.error(error.stack);
    process.exitCode = 1;
});
