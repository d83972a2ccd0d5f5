// The work done by GramJS; the connections behind the first share its auth key.
"use strict";

console.log = console.error;

const { Api, TelegramClient } = require("telegram");
const { MemorySession } = require("telegram/sessions");
const { Logger, PromisedNetSockets } = require("telegram/extensions");
const { ConnectionTCPAbridged } = require("telegram/network/connection");
const { _serverKeys } = require("telegram/crypto/RSA");
const bigInt = require("big-integer");
const crypto = require("crypto");

const task = JSON.parse(process.argv[2]);

// The client dials port 80 whatever its session says.
class Sockets extends PromisedNetSockets {
  connect(port, host) {
    return super.connect(task.port, host);
  }
}

class Silent extends Logger {
  log() {}
}

function trust(pem, fingerprint) {
  const { n, e } = crypto.createPublicKey({ key: pem, type: "pkcs1", format: "pem" }).export({ format: "jwk" });
  const number = (text) => bigInt(Buffer.from(text, "base64url").toString("hex"), 16);
  _serverKeys.clear();
  _serverKeys.set(fingerprint, { n: number(n), e: number(e).toJSNumber() });
}

async function connected(authKey) {
  const session = new MemorySession();
  session.setDC(2, task.host, task.port);
  if (authKey) {
    session.setAuthKey(authKey);
  }
  const client = new TelegramClient(session, 1, "0".repeat(32), {
    connection: ConnectionTCPAbridged,
    networkSocket: Sockets,
    baseLogger: new Silent("none"),
  });
  await client.connect();
  return client;
}

const call = (client) =>
  client.invoke(
    new Api.account.SendVerifyPhoneCode({ phoneNumber: "+12025550123", settings: new Api.CodeSettings({}) })
  );

(async function () {
  trust(task.key, task.fingerprint);
  const clients = [];
  for (let i = 0; i < task.connections; i++) {
    clients.push(await connected(i ? clients[0].session.getAuthKey() : undefined));
  }
  const latencies = [];
  async function worker(client) {
    for (let i = 0; i < task.calls; i++) {
      const begun = performance.now();
      await call(client);
      latencies.push(performance.now() - begun);
    }
  }
  for (const client of clients) {
    await call(client);
  }
  process.stdout.write("ready\n");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const begun = performance.now();
  const used = process.cpuUsage();
  const workers = [];
  for (const client of clients) {
    for (let i = 0; i < task.workers; i++) {
      workers.push(worker(client));
    }
  }
  await Promise.all(workers);
  const seconds = (performance.now() - begun) / 1e3;
  const { user, system } = process.cpuUsage(used);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
  const outcome = { rate: latencies.length / seconds, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
  process.stdout.write(JSON.stringify({ ...outcome, cpu: (user + system) / latencies.length }) + "\n");
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
