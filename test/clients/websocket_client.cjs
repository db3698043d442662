// WebSocket over TLS, with ws through https-proxy-agent.
// usage: websocket_client.cjs PROXY CA URL
// Sends a text and binary messages, requires each back unchanged, and prints how many came.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const WebSocket = require('ws');
const { HttpsProxyAgent } = require('https-proxy-agent');

const [proxy, ca, url] = process.argv.slice(2);
const messages = [Buffer.from('an adit leads into the mountain'), crypto.randomBytes(1),
    crypto.randomBytes(70000), crypto.randomBytes(2000000)];
const socket = new WebSocket(url, {
    agent: new HttpsProxyAgent(`http://${proxy}`), ca: fs.readFileSync(ca),
});
let received = 0;

function fail(why) {
    console.error(why);
    process.exit(1);
}

socket.on('open', () => messages.forEach((one, i) => socket.send(i ? one : one.toString())));
socket.on('message', (data, isBinary) => {
    if (isBinary !== received > 0 || !messages[received].equals(data)) {
        fail(`message ${received} came back changed`);
    }
    received += 1;
    if (received === messages.length) {
        socket.close(1000);
    }
});
socket.on('error', fail);
socket.on('close', (code) => {
    if (code !== 1000) {
        fail(`closed with ${code}`);
    }
    console.log(`${received} messages`);
});
